package query

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
)

func TestLeaderboardStatements(t *testing.T) {
	s := newSetting(t)
	s.ask("CREATE STREAM g (ts DateTime64(3), user String, n Int64) WITH (partition_by = 'user', partitions = 2)")
	for _, c := range []struct{ text, want string }{
		{"CREATE LEADERBOARD best AS SELECT user, sum(n) AS score FROM g GROUP BY user WITH (windows = 'all,day')", "kind name status\nleaderboard best created"},
		{"CREATE LEADERBOARD IF NOT EXISTS best AS SELECT user, count() FROM g GROUP BY user", "kind name status\nleaderboard best unchanged"},
		{"SHOW LEADERBOARDS", "name stream member score windows batch\nbest g user score all, day */15 * * * *"},
		{"SHOW TABLES", "name kind\ng stream\ns stream\nbest leaderboard\nv view"},
		{"DESCRIBE LEADERBOARD best", "name type default_type default_expression comment codec_expression ttl_expression\nuser String   member  \nscore Int64   score"},
		{"SHOW CREATE LEADERBOARD best", `statement
CREATE LEADERBOARD best AS\nSELECT user, sum(n) AS score\nFROM g\nGROUP BY user\nWITH (windows = \'all,day\')`},
		{"DROP LEADERBOARD IF EXISTS nothing", "kind name status\nleaderboard nothing unchanged"},
		{"DROP LEADERBOARD best", "kind name status\nleaderboard best dropped"},
		{"SHOW LEADERBOARDS", "name stream member score windows batch"},
	} {
		if got := s.ask(c.text); got != c.want {
			t.Errorf("%s gives\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
	_, err := s.Run(s.ctx, Request{Text: "DROP LEADERBOARD v"})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusNotFound || !strings.Contains(p.Detail, "it is a view") {
		t.Errorf("dropping a view so: %v", err)
	}
	_, err = s.Run(s.ctx, Request{Text: "SHOW VIEWS;\nCREATE LEADERBOARD b AS SELECT n, count() FROM g GROUP BY n"})
	var refused *sql.Error
	if !errors.As(err, &refused) || refused.Pos.Line != 2 || refused.Pos.Column != 32 || !strings.Contains(refused.Hint, "partition_by = 'n'") {
		t.Errorf("a member that is not the partition key: %v", err)
	}
}
