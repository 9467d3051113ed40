package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func reopen(t *testing.T, file string) *history {
	t.Helper()
	h, err := openHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "millrace", "sql_history")
	h := reopen(t, file)
	kept := []string{"SELECT 1;", "SELECT\n  'é'\nFROM s;", `\d s`}
	notKept := []string{
		" SELECT 2;", "SELECT 'mr_0123456789abcdefghij';", "SELECT 1 AS password;", "SELECT * FROM s WHERE access_key = 'x';",
		"SELECT '" + strings.Repeat("x", historyEntryBytes) + "';",
	}
	for _, entry := range slices.Concat(kept, notKept, []string{"", "  \n", `\d s`, `\d s`}) {
		if err := h.add(entry); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.entries; len(got) != len(kept)+len(notKept)+1 {
		t.Errorf("%d entries in the session: %q", len(got), got)
	}
	want := append(slices.Clone(kept), `\d s`) // once more, as others came between
	if got := reopen(t, file).entries; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v, %v", info.Mode(), err)
	}
	// Another shell appends beside, and a line of it breaks off.
	other := reopen(t, file)
	if err := other.add("SELECT 3;"); err != nil {
		t.Fatal(err)
	}
	if err := h.add("SELECT 4;"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`"SELECT 5`)
	_ = f.Close()
	h = reopen(t, file)
	if want := append(want, "SELECT 3;", "SELECT 4;"); !slices.Equal(h.entries, want) {
		t.Errorf("kept %q, want %q", h.entries, want)
	}
	if line, err := h.GetLine(h.Len() - 1); err != nil || line != "SELECT 4;" {
		t.Errorf("the last entry is %q, %v", line, err)
	}
	for _, n := range []int{-1, h.Len()} {
		if _, err := h.GetLine(n); err == nil {
			t.Errorf("there is an entry %d", n)
		}
	}
}

// TestHistoryIsBounded opens a file that has grown over years.
func TestHistoryIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "h")
	var b strings.Builder
	for i := range 2*historyEntries + 1 {
		fmt.Fprintf(&b, "\"SELECT %d;\"\n", i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := reopen(t, file)
		last, err := h.GetLine(h.Len() - 1)
		if h.Len() != historyEntries || err != nil || last != fmt.Sprintf("SELECT %d;", 2*historyEntries) {
			t.Errorf("%d entries, the last %q, %v; want %d", h.Len(), last, err, historyEntries)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
}
