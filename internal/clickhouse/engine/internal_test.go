package engine

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestFirstWord(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1":                  "SELECT",
		"\n\t With x as (1) select": "WITH",
		"-- a\n# b\n/* c */ FROM t": "FROM",
		"(select 1)":                "(",
		"/* never closed":           "",
		"-- never ended":            "",
		"":                          "",
		"1":                         "1",
		"insert_not_really":         "INSERT",
	} {
		if got := firstWord(sql); got != want {
			t.Errorf("%q: got %q, want %q", sql, got, want)
		}
	}
}

func TestParseRequest(t *testing.T) {
	for _, tc := range []struct {
		name, params, body string
		sql, format        string
		rows, changes      bool
	}{
		{"plain", "", "SELECT 1", "SELECT 1", "TabSeparated", false, false},
		{"format clause", "default_format=CSV", "SELECT 1 format JSON ;", "SELECT 1 format JSON ;", "JSON", false, false},
		{"format and settings", "", "SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV", false, false},
		{"no format clause", "", "SELECT ' FORMAT CSV'", "SELECT ' FORMAT CSV'", "TabSeparated", false, false},
		{"insert", "query=insert+into+`a+b`(c)+settings+x=1+format+Native+%3B", "rows", "insert into `a b`(c) settings x=1", "Native", true, false},
		{"insert in the body", "", "INSERT INTO t FORMAT CSV\n1\n", "INSERT INTO t FORMAT CSV\n1\n", "TabSeparated", false, false},
		{"set", "", " set x = 1", " set x = 1", "TabSeparated", false, true},
		{"temporary", "", "CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", "CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", "TabSeparated", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := parseRequest(httptest.NewRequest(http.MethodPost, "/?"+tc.params, strings.NewReader(tc.body)))
			if err != nil {
				t.Fatal(err)
			}
			if req.sql != tc.sql || req.format != tc.format || (req.data != nil) != tc.rows || req.changes != tc.changes {
				t.Errorf("got %q, %s, rows %v, changes %v", req.sql, req.format, req.data != nil, req.changes)
			}
		})
	}
	long := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", maxStatementBytes+1)))
	if _, err := parseRequest(long); err == nil {
		t.Error("a statement over the limit was accepted")
	}
}

// FuzzParseRequest looks for a request that the parser cannot take.
func FuzzParseRequest(f *testing.F) {
	f.Add("query=SELECT+1&max_execution_time=1", "x")
	f.Add("query=INSERT+INTO+t+FORMAT+CSV", "1\n")
	f.Add("param_a=1&database=d&client_protocol_version=54460", "/* */ --\nSET x = 1")
	f.Fuzz(func(t *testing.T, params, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.RawQuery = params
		req, err := parseRequest(r)
		if (req == nil) == (err == nil) {
			t.Errorf("request %v, error %v", req, err)
		}
		var e *exception
		if err != nil && !errors.As(err, &e) {
			t.Errorf("error without a code: %v", err)
		}
	})
}

// fakePool is a pool on an engine whose statements take no time and do nothing.
func fakePool() (*pool, *[]string) {
	var statements []string
	one := byte(1)
	lib := &library{
		query: func(_ unsafe.Pointer, sql *byte, n uintptr, _ *byte, _ uintptr, _, _, _, _ unsafe.Pointer, _ uintptr) unsafe.Pointer {
			statements = append(statements, unsafe.String(sql, n))
			return unsafe.Pointer(&one)
		},
		resultError:   func(unsafe.Pointer) unsafe.Pointer { return nil },
		resultDestroy: func(unsafe.Pointer) {},
	}
	handle := unsafe.Pointer(&one)
	p := &pool{lib: lib, stuck: stuckAfter, control: make(chan *connection, 1)}
	p.control <- &connection{lib: lib, handle: unsafe.Pointer(&handle)}
	return p, &statements
}

// TestGuardGivesUp has a statement that nothing can end.
func TestGuardGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, statements := fakePool()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stuck := make(chan struct{})
		started := time.Now()
		p.guard(ctx, &connection{name: "victim"}, func() { close(stuck) }, func() { <-stuck })
		if took := time.Since(started); took < stuckAfter || took > 2*stuckAfter {
			t.Errorf("gave up after %v", took)
		}
		if len(*statements) < 2 || (*statements)[0] != "KILL QUERY WHERE Settings['log_comment'] = 'victim' ASYNC" {
			t.Errorf("statements: %q", *statements)
		}
	})
}

// TestGuardLeavesAlone has a statement end in time.
func TestGuardLeavesAlone(t *testing.T) {
	p, statements := fakePool()
	ctx, cancel := context.WithCancel(t.Context())
	p.guard(ctx, &connection{name: "victim"}, func() { t.Error("gave up") }, func() {})
	cancel()
	if len(*statements) != 0 {
		t.Errorf("statements: %q", *statements)
	}
}

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockDir(dir, 0); err == nil || !strings.Contains(err.Error(), "another engine uses it") {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	if unlock, err = lockDir(dir, 0); err != nil {
		t.Fatal(err)
	}
	unlock()
	if _, err := lockDir(filepath.Join(dir, "absent"), 0); err == nil {
		t.Error("locked a directory that is not there")
	}
}

func TestNativeEncoder(t *testing.T) {
	var e nativeEncoder
	for range 2 { // the second call must not see the first one's bytes
		got, err := e.encode([]byte("\x01\x01\x01a\x05UInt8\x07\x01\x01\x01a\x05UInt8\x08"), 54460)
		want := "\x01\x00\x02\xff\xff\xff\xff\x00\x01\x01\x01a\x05UInt8\x00\x07" + "\x01\x00\x02\xff\xff\xff\xff\x00\x01\x01\x01a\x05UInt8\x00\x08"
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := e.encode([]byte("\x01\x01\x01a\x05UInt8"), 54460); err == nil {
		t.Error("a block without its data was accepted")
	}
}
