package shell

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	// historyEntries is how many statements are kept: years of use, loaded in a blink.
	historyEntries = 2000
	// historyEntryBytes is the longest statement that is kept. Longer ones are loads of
	// values rather than something to be called back.
	historyEntryBytes = 16 << 10
)

// history keeps statements over the ends of the process, in a file that only its owner
// can read: one JSON string a line, so that a statement may have several lines. Several
// shells may append to one file. The editor reads it as its source of history.
type history struct {
	file    string // empty: nothing is kept
	entries []string
}

// openHistory reads a file of history. A file that is not there yet is an empty one.
func openHistory(file string) (*history, error) {
	h := &history{file: file}
	if file == "" {
		return h, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("open history: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8*historyEntryBytes)
	for lines.Scan() {
		var entry string
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry != "" { // a line that broke off is left out
			h.entries = append(h.entries, entry)
		}
	}
	if err := lines.Err(); err != nil {
		return h, fmt.Errorf("read history: %w", err)
	}
	if len(h.entries) > 2*historyEntries {
		h.entries = h.entries[len(h.entries)-historyEntries:]
		return h, h.rewrite()
	}
	return h, nil
}

// rewrite puts the entries in the place of the file.
func (h *history) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(h.file), filepath.Base(h.file)+".*") // readable by its owner only
	if err != nil {
		return fmt.Errorf("shorten history: %w", err)
	}
	defer os.Remove(f.Name())
	for _, entry := range h.entries {
		if err := writeEntry(f, entry); err != nil {
			_ = f.Close()
			return fmt.Errorf("shorten history: %w", err)
		}
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("shorten history: %w", err)
	}
	if err := os.Rename(f.Name(), h.file); err != nil {
		return fmt.Errorf("shorten history: %w", err)
	}
	return nil
}

func writeEntry(f *os.File, entry string) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n')) // in one write, so that two shells do not mix
	return err
}

// secret matches what must not lie around in a file: tokens, and statements that speak of
// passwords and keys.
var secret = regexp.MustCompile(`(?i)\bmr_[A-Za-z0-9_-]{16,}|passw(or)?d|secret|credential|access_?key|\btoken\b`)

// keeps tells whether an entry is written: none that begins with a blank, as in other
// shells, and none that may hold a secret.
func keeps(entry string) bool {
	return entry != "" && entry[0] != ' ' && len(entry) <= historyEntryBytes && !secret.MatchString(entry)
}

// add adds an entry. What is not kept in the file can still be called back in this session.
func (h *history) add(entry string) error {
	kept := keeps(entry)
	entry = strings.TrimSpace(entry)
	if entry == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == entry {
		return nil
	}
	h.entries = append(h.entries, entry)
	if h.file == "" || !kept {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	return errors.Join(writeEntry(f, entry), f.Close())
}

// Write implements the editor's source of history and does nothing: the editor stops to
// write at a size that a user may have set for other programs. See add.
func (h *history) Write(string) (int, error) { return len(h.entries), nil }

// GetLine returns an entry, from 0, the oldest.
func (h *history) GetLine(n int) (string, error) {
	if n < 0 || n >= len(h.entries) {
		return "", fmt.Errorf("history has no entry %d", n)
	}
	return h.entries[n], nil
}

// Len is how many entries there are.
func (h *history) Len() int { return len(h.entries) }

// Dump returns all entries.
func (h *history) Dump() any { return h.entries }
