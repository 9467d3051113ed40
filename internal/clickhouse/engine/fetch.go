package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/millrace/millrace/internal/npmfetch"
)

// packageVersion is the npm release that carries the engine of Version.
const packageVersion = "26.7.3-stable.1"

// libraryPackage is a platform's package of the library.
type libraryPackage struct {
	name   string
	sha512 string // of the packed package, in base64
	size   int64  // of the packed package, in bytes
}

// libraryPackages are known by GOOS/GOARCH. Where no checksum stands, the package could
// not be had when this was written, and npm's own check against its registry is all.
var libraryPackages = map[string]libraryPackage{
	"linux/amd64": {
		name:   "@chdb/lib-linux-x64-gnu",
		sha512: "XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		size:   177_817_999,
	},
	"linux/arm64":  {name: "@chdb/lib-linux-arm64-gnu"},
	"darwin/arm64": {name: "@chdb/lib-darwin-arm64"},
	"darwin/amd64": {name: "@chdb/lib-darwin-x64"},
}

// libraryFile is the library's name in its package, on every platform.
const libraryFile = "libchdb.so"

// ErrNoLibrary is the error of [Library] where nothing has been fetched yet.
var ErrNoLibrary = errors.New("the ClickHouse engine library is not here; run: millrace engine fetch")

// FetchOptions say how to fetch the library.
type FetchOptions struct {
	Dir      string    // where to put it; "" means the user's cache directory
	Progress io.Writer // a bar where it is a terminal, else plain lines; nil means silence
}

// Fetch brings the engine library by npm unless it is there, checks it, and returns its
// path. It downloads 178 MB and writes 566 MB. Any number of processes may call it.
func Fetch(ctx context.Context, opts FetchOptions) (string, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	p, ok := libraryPackages[platform]
	if !ok {
		return "", fmt.Errorf("fetch engine library: there is none for %s; give a ClickHouse server's address instead", platform)
	}
	path, err := libraryPath(opts.Dir)
	if err != nil {
		return "", fmt.Errorf("fetch engine library: %w", err)
	}
	file := npmfetch.File{Package: p.name + "@" + packageVersion, Path: libraryFile, SHA512: p.sha512, SizeBytes: p.size}
	if err := npmfetch.Fetch(ctx, file, path, opts.Progress); err != nil {
		return "", err
	}
	return path, nil
}

// Library returns the path of the engine library: given if that is not empty, else the
// one that Fetch has put into the user's cache. It returns ErrNoLibrary if there is none.
func Library(given string) (string, error) {
	path := given
	if path == "" {
		var err error
		if path, err = libraryPath(""); err != nil {
			return "", fmt.Errorf("find engine library: %w", err)
		}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && given == "":
		return "", ErrNoLibrary
	case err != nil:
		return "", fmt.Errorf("find engine library: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("find engine library: %s is not a file", path)
	}
	return filepath.Abs(path)
}

// libraryPath is where the library of this version belongs.
func libraryPath(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("find the user's cache directory: %w", err)
		}
		dir = filepath.Join(dir, "millrace", "engine", Version)
	}
	return filepath.Join(dir, libraryFile), nil
}
