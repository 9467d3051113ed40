package plan_test

import (
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }
