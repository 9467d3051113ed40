package engine_test

import "testing"

func TestNamedSessions(t *testing.T) {
	steps := []struct {
		params, body string
		status       int
		code, want   string
	}{
		{"session_id=s&session_check=1", "SELECT 1", 404, "372", ""},
		{"session_id=s", "CREATE TEMPORARY TABLE t (a Int64) ENGINE = Memory", 200, "", ""},
		{"session_id=s&session_check=1", "INSERT INTO t VALUES (7)", 200, "", ""},
		{"session_id=s", "SELECT a FROM t", 200, "", "7\n"},
		{"session_id=other", "SELECT a FROM t", 404, "60", ""},
		{"", "SELECT a FROM t", 404, "60", ""},
		{"session_id=s&session_timeout=1e9", "SELECT 1", 400, "36", ""},
		// Sealed: nothing undoes it, neither in the text nor by parameters.
		{"session_id=s&readonly=1&max_threads=1", "SELECT a FROM t", 200, "", "7\n"},
		{"session_id=s", "SET readonly = 0", 500, "164", ""},
		{"session_id=s&readonly=0", "SELECT 1", 500, "164", ""},
		{"session_id=s", "CREATE TEMPORARY TABLE u (a Int64) ENGINE = Memory", 500, "164", ""},
		{"session_id=s", "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", 500, "164", ""},
		{"session_id=s&close_session=1", "SELECT a FROM t", 200, "", "7\n"},
		{"session_id=s&session_check=1", "SELECT 1", 404, "372", ""},
		{"session_id=other&close_session=1", "SELECT 1", 200, "", "1\n"},
	}
	for _, s := range steps {
		a := post(t, s.params, s.body)
		if a.status != s.status || a.code != s.code || s.status == 200 && a.body != s.want {
			t.Errorf("%s, %s: got %+v, want status %d, code %q, %q", s.params, s.body, a, s.status, s.code, s.want)
		}
	}
}

// TestSessionClosedTooEarly: a request that is heard after its client gave it up opens
// nothing that nobody would close.
func TestSessionClosedTooEarly(t *testing.T) {
	post(t, "session_id=early&session_check=1&close_session=1", "SELECT 1")
	if a := post(t, "session_id=early", "CREATE TEMPORARY TABLE t (a Int64) ENGINE = Memory"); a.code != "372" {
		t.Errorf("got %+v", a)
	}
}

// TestSessionEndsWithItsTime has the engine close a session that nobody uses.
func TestSessionEndsWithItsTime(t *testing.T) {
	post(t, "session_id=brief&session_timeout=0", "CREATE TEMPORARY TABLE t (a Int64) ENGINE = Memory")
	for {
		if a := post(t, "session_id=brief&session_check=1&session_timeout=0", "SELECT 1"); a.code == "372" {
			return
		} else if a.status != 200 {
			t.Fatalf("got %+v", a)
		}
	}
}

// TestSettingsStayWithTheirRequests: sessions are used again, with the same settings only.
func TestSettingsStayWithTheirRequests(t *testing.T) {
	const query = "SELECT getSetting('max_block_size'), getSetting('max_insert_block_size')"
	plain := post(t, "", query).body
	for range 3 {
		for params, want := range map[string]string{
			"":                    plain,
			"max_block_size=1000": "1000\t" + plain[len("65409\t"):],
			"max_block_size=1001": "1001\t" + plain[len("65409\t"):],
			"max_insert_block_size=7&max_block_size=1000": "1000\t7\n",
			"max_block_size=1000&max_insert_block_size=7": "1000\t7\n",
		} {
			if a := post(t, params, query); a.body != want {
				t.Errorf("%s: got %q, want %q", params, a.body, want)
			}
		}
	}
}
