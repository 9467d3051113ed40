package npmfetch

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/internal/progress"
)

// maxFileBytes bounds one unpacked file, against an archive that unpacks without end.
const maxFileBytes = 8 << 30

// lockPoll paces the attempts to take a lock that another process holds.
const lockPoll = 200 * time.Millisecond

// extract writes the named entry of a tar archive to a new file, synced.
func extract(archive io.Reader, name, to string, m *progress.Meter) error {
	t := tar.NewReader(archive)
	for {
		entry, err := t.Next()
		if err == io.EOF {
			return fmt.Errorf("unpack archive: it has no %s", name)
		}
		if err != nil {
			return fmt.Errorf("unpack archive: %w", err)
		}
		if entry.Name != name {
			continue
		}
		if entry.Typeflag != tar.TypeReg || entry.Size > maxFileBytes {
			return fmt.Errorf("unpack archive: %s is no file of at most %d bytes", name, int64(maxFileBytes))
		}
		m.SetTotal(entry.Size)
		if err := write(to, io.TeeReader(t, m)); err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
		m.Finish()
		return nil
	}
}

func write(to string, from io.Reader) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, from); err != nil {
		return err
	}
	return out.Sync()
}

// syncDir makes a rename in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock takes the lock file for this process, waiting for others; the kernel frees it when
// the process ends, however it ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for another fetch: %w", context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}
