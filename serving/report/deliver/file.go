package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
)

// folder writes files below one directory; the operating system sees to it that no link
// leads out of there.
type folder struct{ root *os.Root }

const (
	dirMode  = 0o755
	fileMode = 0o644
)

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("make reports.dir: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open reports.dir: %w", err)
	}
	return &folder{root}, nil
}

// deliver writes the file whole: under another name first, which is then changed. A second
// attempt replaces the file by the same.
func (f *folder) deliver(ctx context.Context, t Target, m *Message) error {
	name := t.place(m)
	if err := f.write(ctx, name, m); err != nil {
		return failed("write file "+name, err)
	}
	return nil
}

func (f *folder) write(ctx context.Context, name string, m *Message) (err error) {
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	temporary := path.Join(dir, "."+m.Key+".unfinished")
	w, err := f.root.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.root.Remove(temporary)
		}
	}()
	_, err = w.Write(m.Content)
	if err == nil {
		err = w.Sync()
	}
	if err = errors.Join(err, w.Close(), ctx.Err()); err != nil {
		return err
	}
	if err := f.root.Rename(temporary, name); err != nil {
		return err
	}
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
