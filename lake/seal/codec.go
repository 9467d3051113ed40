package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// formatVersion is written into each seal object; a reader refuses what it does not know.
const formatVersion = 1

// ErrCorrupt is the class of errors about seals that do not read back as written.
var ErrCorrupt = errors.New("corrupt seal")

// object is the JSON form of a seal: the seal's own bytes and their xxhash64.
type object struct {
	Version  int             `json:"version"`
	Checksum string          `json:"checksum"`
	Seal     json.RawMessage `json:"seal"`
}

// Prefix is where the seals of a stream are.
func Prefix(stream string) string { return "lake/" + stream + "/seals/" }

// Name is the object name of a seal: by partition, first and last epoch.
func Name(s *Seal) string {
	return fmt.Sprintf("%s%05d/%012d-%012d.json", Prefix(s.Stream), s.Partition, s.From, s.To)
}

// encode gives the same bytes for the same seal.
func encode(s *Seal) ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(object{Version: formatVersion, Checksum: checksum(body), Seal: body})
}

func decode(data []byte) (Seal, error) {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return Seal{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if o.Version != formatVersion {
		return Seal{}, fmt.Errorf("%w: version %d, this program knows %d", ErrCorrupt, o.Version, formatVersion)
	}
	if got := checksum(o.Seal); got != o.Checksum {
		return Seal{}, fmt.Errorf("%w: checksum %s, expected %s", ErrCorrupt, got, o.Checksum)
	}
	var s Seal
	d := json.NewDecoder(bytes.NewReader(o.Seal))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Seal{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if s.From > s.To || s.LastEpoch < s.From || s.LastEpoch > s.To {
		return Seal{}, fmt.Errorf("%w: epochs %d to %d with the last entry in %d", ErrCorrupt, s.From, s.To, s.LastEpoch)
	}
	return s, nil
}

func checksum(b []byte) string { return strconv.FormatUint(xxhash.Sum64(b), 16) }
