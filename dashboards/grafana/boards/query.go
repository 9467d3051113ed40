package boards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
)

const pluginType = datasource.PluginID

// Target is a query of a panel: the data source's model with what Grafana keeps of any.
type Target struct {
	datasource.Query
	RefID      string               `json:"refId"`
	Datasource common.DataSourceRef `json:"datasource"`
}

// target makes a query of a panel's.
func target(refID string, q datasource.Query) *Target { return &Target{q, refID, source()} }

// Build implements cog.Builder.
func (t *Target) Build() (variants.Dataquery, error) { return *t, nil }

// ImplementsDataqueryVariant implements variants.Dataquery.
func (t Target) ImplementsDataqueryVariant() {}

// DataqueryType implements variants.Dataquery.
func (t Target) DataqueryType() string { return pluginType }

// Equals implements variants.Dataquery.
func (t Target) Equals(other variants.Dataquery) bool { return reflect.DeepEqual(t, other) }

// Validate implements variants.Dataquery.
func (t Target) Validate() error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("query %s: %w", t.RefID, err)
	}
	return nil
}

// Register makes the foundation SDK read the data source's queries, strictly: a field that
// the model has not is an error.
func Register() {
	read := func(raw []byte) (variants.Dataquery, error) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		var t Target
		err := decoder.Decode(&t)
		return t, err
	}
	cog.NewRuntime().RegisterDataqueryVariant(variants.DataqueryConfig{
		Identifier: pluginType, DataqueryUnmarshaler: read, StrictDataqueryUnmarshaler: read,
	})
}
