package datasource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/millrace/millrace/serving/client"
)

// healthDetails are the facts of a health check, beside its message.
type healthDetails struct {
	Version string `json:"version,omitempty"` // of the server
	Role    string `json:"role,omitempty"`    // of the token
	Healthy bool   `json:"healthy"`           // what the server says of itself
	Trouble string `json:"trouble,omitempty"`
}

// CheckHealth implements backend.CheckHealthHandler: is the server there, whom does it
// take the data source for, and can that show dashboards?
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	if d.unusable != nil {
		return unhealthy(explain(d.unusable).String())
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	who, err := d.server.WhoAmI(ctx)
	if err != nil {
		return unhealthy(d.unreachable(err))
	}
	if who.Role == "ingest" {
		return unhealthy(fmt.Sprintf("the token %q is of role ingest, which may append and see nothing; make one of role sql: millrace token create --role sql grafana", who.Name))
	}
	status, err := d.server.Status(ctx)
	if err != nil {
		return unhealthy(d.unreachable(err))
	}
	details, err := json.Marshal(healthDetails{status.Version, who.Role, status.Healthy, status.Trouble})
	if err != nil {
		return nil, fmt.Errorf("write the details of the health check: %w", err)
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: greeting(who, status), JSONDetails: details}, nil
}

// greeting is the message where the data source can be used.
func greeting(who *client.Principal, status *client.Status) string {
	parts := []string{fmt.Sprintf("Millrace %s answers; the data source has the role %s", status.Version, who.Role)}
	if n := len(who.Objects); n > 0 {
		parts[0] += fmt.Sprintf(" over %s", strings.Join(who.Objects, ", "))
	}
	switch who.Role {
	case "read":
		parts = append(parts, "It may ask views and leaderboards; SQL needs a token of role sql.")
	case "admin":
		parts = append(parts, "A token of role sql is enough for dashboards and safer.")
	}
	if !status.Healthy {
		parts = append(parts, "The server itself is not healthy: "+status.Trouble)
	}
	return strings.Join(parts, ". ")
}

// unreachable says why there was no answer and what to do.
func (d *Datasource) unreachable(err error) string {
	var e *client.Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized {
		return "the server refuses the token: " + e.Error() + ". Make one with: millrace token create --role sql grafana, and enter it above"
	}
	return explain(err).String()
}

func unhealthy(message string) (*backend.CheckHealthResult, error) {
	return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: message}, nil
}
