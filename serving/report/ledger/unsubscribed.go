package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	unsubscribedPrefix = "unsubscribed/"
	// keyObject holds the key of the links by which recipients unsubscribe. Whoever can read
	// it can read the runs too; it gives no other right than to end a subscription.
	keyObject = "unsubscribe.key"
)

// unsubscribedName keeps the address out of the object's name.
func unsubscribedName(report, address string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(address)))
	return unsubscribedPrefix + report + "/" + hex.EncodeToString(sum[:])
}

// Unsubscribe durably takes an address off a report. Doing so again does nothing.
func (l *Ledger) Unsubscribe(ctx context.Context, report, address string) error {
	data, err := json.Marshal(struct {
		Address string    `json:"address"`
		Time    time.Time `json:"time"`
	}{address, l.clock()})
	if err != nil {
		return fmt.Errorf("unsubscribe from %s: %w", report, err)
	}
	if _, err := l.store.PutNew(ctx, unsubscribedName(report, address), data); err != nil {
		return fmt.Errorf("unsubscribe from %s: %w", report, err)
	}
	return nil
}

// Unsubscribed reports whether an address wants no more of a report.
func (l *Ledger) Unsubscribed(ctx context.Context, report, address string) (bool, error) {
	_, found, err := l.store.Get(ctx, unsubscribedName(report, address))
	if err != nil {
		return false, fmt.Errorf("look whether a recipient of %s unsubscribed: %w", report, err)
	}
	return found, nil
}

// Sign makes the proof that a link to unsubscribe an address came from a mail to it.
func (l *Ledger) Sign(ctx context.Context, report, address string) (string, error) {
	sum, err := l.signature(ctx, report, address)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Signed checks a proof.
func (l *Ledger) Signed(ctx context.Context, report, address, proof string) (bool, error) {
	given, err := base64.RawURLEncoding.DecodeString(proof)
	if err != nil {
		return false, nil //nolint:nilerr // it is no proof
	}
	sum, err := l.signature(ctx, report, address)
	if err != nil {
		return false, err
	}
	return hmac.Equal(given, sum), nil
}

func (l *Ledger) signature(ctx context.Context, report, address string) ([]byte, error) {
	key, err := l.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign a link: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(report + "\x00" + strings.ToLower(address)))
	return h.Sum(nil), nil
}

// key reads the key; the first process that needs one makes it.
func (l *Ledger) key(ctx context.Context) ([]byte, error) {
	for {
		key, found, err := l.store.Get(ctx, keyObject)
		if err != nil || found {
			return key, err
		}
		fresh := make([]byte, sha256.Size)
		_, _ = rand.Read(fresh) // never fails
		if _, err := l.store.PutNew(ctx, keyObject, fresh); err != nil {
			return nil, err
		}
	}
}
