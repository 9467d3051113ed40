package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Status is the state of every layer. The server may say more than this package knows:
// Raw is its whole answer.
type Status struct {
	Version      string            `json:"version"`
	Started      time.Time         `json:"started"`
	Healthy      bool              `json:"healthy"`
	Trouble      string            `json:"trouble"` // why it is not
	EpochSeconds float64           `json:"epoch_seconds"`
	Parts        map[string]string `json:"parts"` // what each part is
	Streams      []StreamStatus    `json:"streams"`
	Views        []ViewStatus      `json:"views"`
	Raw          json.RawMessage   `json:"-"`
}

// StreamStatus is the state of one stream.
type StreamStatus struct {
	Name          string `json:"name"`
	Events        int64  `json:"events"`         // acknowledged since the server started
	Rejected      int64  `json:"rejected"`       // dead letters
	LakeRows      int64  `json:"lake_rows"`      // sealed
	CompleteEpoch *int64 `json:"complete_epoch"` // sealed by every partition; nil: none
	Error         string `json:"error"`
}

// ViewStatus is the state of one view.
type ViewStatus struct {
	Name       string     `json:"name"`
	Stream     string     `json:"stream"`
	Generation uint64     `json:"generation"`
	Cut        *int64     `json:"cut"` // nil: the batch layer covers nothing yet
	Published  *time.Time `json:"published"`
	LagMillis  int64      `json:"lag_ms"` // of the speed layer, at worst
	State      string     `json:"state"`
	Error      string     `json:"error"`
}

// Status asks for the state of every layer.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	raw, err := look[json.RawMessage](ctx, c, nil, "/v1/status")
	if err != nil {
		return nil, err
	}
	s := &Status{Raw: *raw}
	if err := json.Unmarshal(s.Raw, s); err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}

// Ready returns nil once every part of the server answers. It asks once: who waits for a
// server to start calls it until it succeeds.
func (c *Client) Ready(ctx context.Context) error {
	reply, err := c.open(ctx, call{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return err
	}
	return reply.Body.Close()
}

// OpenAPI returns the description of the API, an OpenAPI document in JSON.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	var document json.RawMessage
	err := c.object(ctx, reading("/openapi.json", nil), &document)
	return document, err
}

// Metrics returns the metrics of the server in Prometheus' text format. The caller closes
// them.
func (c *Client) Metrics(ctx context.Context) (*Result, error) {
	return c.result(ctx, reading("/metrics", nil))
}
