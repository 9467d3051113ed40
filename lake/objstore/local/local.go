// Package local keeps objects as files below one directory of the local disk.
//
// The one invariant: a file under its final name is whole and synced. Bytes go to a
// temporary file, which is synced, closed and renamed; then every directory whose
// entries changed is synced. A crash leaves temporary files only, and Open removes them.
//
// One process owns a directory at a time, or several share it by OpenShared; the caller sees
// to that. Errors keep the
// operating system's cause, so that errors.Is(err, syscall.ENOSPC) tells a full disk.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/lake/objstore"
)

// tmpDir holds unfinished objects. Object names cannot reach it, as it begins with a dot.
const tmpDir = ".tmp"

// Permissions of what the store makes: the engine child runs as the same user.
const (
	dirMode  = 0o755
	fileMode = 0o644
)

// globBytes are pattern characters in a path that ClickHouse's file() is given.
const globBytes = "*?{}"

// Store is the objstore.Store of a directory.
type Store struct {
	root  string // absolute
	fault Fault
}

var _ objstore.Store = (*Store)(nil)

// Open returns the store below dir, which is made where it does not exist, and removes
// what unfinished writes left behind.
func Open(dir string) (*Store, error) { return OpenFaulty(dir, nil) }

// abandonedAfter is how old an unfinished object of a shared store is when the process that
// wrote it is taken for dead: writing one takes seconds.
const abandonedAfter = time.Hour

// OpenShared is Open for a directory that several processes write to: what another process
// is writing at this moment stays.
func OpenShared(dir string) (*Store, error) {
	return open(dir, nil, func(e fs.DirEntry) bool {
		info, err := e.Info()
		return err == nil && time.Since(info.ModTime()) > abandonedAfter
	})
}

// OpenFaulty is Open with a hook for tests; see Fault.
func OpenFaulty(dir string, fault Fault) (*Store, error) {
	return open(dir, fault, func(fs.DirEntry) bool { return true })
}

// open opens a store; abandoned says which unfinished objects are to be removed.
func open(dir string, fault Fault, abandoned func(fs.DirEntry) bool) (*Store, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, err)
	}
	if strings.ContainsAny(root, globBytes) {
		return nil, fmt.Errorf("open object store %s: the path must have none of %s: ClickHouse would take them for a pattern", dir, globBytes)
	}
	s := &Store{root: root, fault: fault}
	tmp := filepath.Join(root, tmpDir)
	if err := s.makeDir(tmp); err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, err)
	}
	for _, e := range left {
		if !abandoned(e) {
			continue
		}
		if err := os.Remove(filepath.Join(tmp, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("remove unfinished object: %w", err)
		}
	}
	return s, nil
}

// Put writes an object whole.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	return s.put(ctx, name, data, os.Rename)
}

// PutNew writes an object whole where there is none: a hard link to the temporary file,
// unlike a rename, fails where the name is taken.
func (s *Store) PutNew(ctx context.Context, name string, data []byte) error {
	return s.put(ctx, name, data, linkNew)
}

func (s *Store) put(ctx context.Context, name string, data []byte, publish publishFunc) error {
	w, err := s.create(ctx, name, publish)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }() // does nothing after Commit
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Commit()
}

// publishFunc gives a finished file its final name.
type publishFunc func(temporary, final string) error

func linkNew(temporary, final string) error {
	if err := os.Link(temporary, final); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return objstore.ErrExists
		}
		return err
	}
	_ = os.Remove(temporary) // a second name of the same file; Open removes what is left
	return nil
}

// Create starts an object. Cancelling ctx before Commit makes Commit fail.
func (s *Store) Create(ctx context.Context, name string) (objstore.Writer, error) {
	w, err := s.create(ctx, name, os.Rename)
	if err != nil {
		return nil, err // and no writer that is nil in an interface
	}
	return w, nil
}

func (s *Store) create(ctx context.Context, name string, publish publishFunc) (*writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create object %s: %w", name, err)
	}
	if err := objstore.CheckName(name); err != nil {
		return nil, err
	}
	if err := s.before(OpCreate, name); err != nil {
		return nil, fmt.Errorf("create object %s: %w", name, err)
	}
	f, err := os.CreateTemp(filepath.Join(s.root, tmpDir), "object-*")
	if err == nil {
		err = f.Chmod(fileMode)
	}
	if err != nil {
		return nil, fmt.Errorf("create object %s: %w", name, err)
	}
	return &writer{ctx: ctx, store: s, name: name, file: f, publish: publish}, nil
}

// Open returns a reader of an object. It stays readable after the object is replaced or
// deleted.
func (s *Store) Open(ctx context.Context, name string) (objstore.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	if err := objstore.CheckName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(name))
	if absent(err) {
		return nil, fmt.Errorf("open object %s: %w", name, objstore.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = objstore.ErrNotFound // a directory is no object
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	return &reader{File: f, size: info.Size()}, nil
}

// List walks the one directory that the prefix names and what is below it.
func (s *Store) List(ctx context.Context, prefix string) ([]objstore.Object, error) {
	dir := ""
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir = prefix[:i]
		if err := objstore.CheckName(dir); err != nil {
			return nil, err
		}
	}
	var out []objstore.Object
	err := filepath.WalkDir(s.path(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if absent(err) {
				return nil // deleted while we looked, or no such directory
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			if path != s.root && d.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(s.root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, prefix) || objstore.CheckName(name) != nil {
			return nil //nolint:nilerr // not ours: no error of the listing
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, objstore.Object{Name: name, SizeBytes: info.Size(), Modified: info.ModTime()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list objects %s: %w", prefix, err)
	}
	slices.SortFunc(out, func(a, b objstore.Object) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Delete removes an object and syncs its directory. Empty directories stay: a writer may
// be about to rename into them.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete object %s: %w", name, err)
	}
	if err := objstore.CheckName(name); err != nil {
		return err
	}
	if err := s.before(OpRemove, name); err != nil {
		return fmt.Errorf("delete object %s: %w", name, err)
	}
	path := s.path(name)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil // a directory is no object
	}
	if err := os.Remove(path); err != nil {
		if absent(err) {
			return nil
		}
		return fmt.Errorf("delete object %s: %w", name, err)
	}
	if err := s.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("delete object %s: %w", name, err)
	}
	return nil
}

// URL returns the object's absolute path.
func (s *Store) URL(name string) string { return s.path(name) }

func (s *Store) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// absent reports whether an error says that a path, or a directory on the way, is not there.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// makeDir makes a directory and its missing parents, and syncs the parent of each one
// made, as a directory's own entry is as volatile as a file's.
func (s *Store) makeDir(dir string) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("a file is in the way")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
	}
	if err := s.makeDir(parent); err != nil {
		return err
	}
	if err := s.before(OpMkdir, dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(parent)
}

func (s *Store) syncDir(dir string) error {
	if err := s.before(OpSyncDir, dir); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }
