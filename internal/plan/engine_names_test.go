package plan

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// TestNamesAreTheEngines: the engine has every name and alias of the registry, and the
// registry takes a name in any case where the engine does.
func TestNamesAreTheEngines(t *testing.T) {
	answer, err := enginetest.Client(t).QueryBatch(t.Context(), "SELECT name, toBool(case_insensitive) AS any_case FROM system.functions WHERE NOT is_aggregate")
	if err != nil {
		t.Fatal(err)
	}
	anyCase, anyLower := map[string]bool{}, map[string]bool{}
	for i := range answer.Rows {
		name, insensitive := answer.Columns[0].Value(i).(string), answer.Columns[1].Value(i).(bool)
		anyCase[name] = insensitive
		if insensitive {
			anyLower[strings.ToLower(name)] = true
		}
	}
	for _, f := range Functions() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			insensitive, exists := anyCase[name]
			if !exists && anyLower[strings.ToLower(name)] {
				insensitive, exists = true, true
			}
			if !exists {
				t.Errorf("%s: the engine has no function %s", f.Name, name)
			} else if insensitive && !f.AnyCase {
				t.Errorf("%s: the engine takes %s in any case", f.Name, name)
			}
		}
	}
}
