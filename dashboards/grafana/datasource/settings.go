package datasource

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"

	"github.com/millrace/millrace/serving/client"
)

// The timeout of a query, in seconds.
const (
	defaultTimeoutSeconds = 30
	maxTimeoutSeconds     = 3600 // an hour, far beyond what a server allows a query
)

// options are what a data source keeps in the open.
type options struct {
	TimeoutSeconds float64 `json:"timeoutSeconds"` // 0: the default
	TLSSkipVerify  bool    `json:"tlsSkipVerify"`
}

// The names of what it keeps in secret.
const (
	secureToken  = "token"
	secureCACert = "tlsCACert" // PEM
)

// connect makes the client of the server. The error is one for a person to act on.
func (d *Datasource) connect(ctx context.Context, settings backend.DataSourceInstanceSettings) error {
	var o options
	if err := json.Unmarshal(settings.JSONData, &o); err != nil && len(settings.JSONData) > 0 {
		return &refusal{Detail: fmt.Sprintf("the data source's settings cannot be read: %v", err), Hint: "save them again"}
	}
	seconds := cmp.Or(o.TimeoutSeconds, defaultTimeoutSeconds)
	if seconds < 1 || seconds > maxTimeoutSeconds {
		return &refusal{Detail: fmt.Sprintf("the timeout of %v seconds is out of range", seconds), Hint: fmt.Sprintf("set one of 1 to %d seconds", maxTimeoutSeconds)}
	}
	d.timeout = time.Duration(seconds * float64(time.Second))
	if settings.URL == "" {
		return &refusal{Detail: "the data source has no URL", Hint: "set the address of the Millrace server, such as http://127.0.0.1:8080"}
	}
	httpOptions, err := settings.HTTPClientOptions(ctx)
	if err != nil {
		return fmt.Errorf("read the HTTP settings: %w", err)
	}
	// A query ends with its context; a stream has no end of its own.
	timeouts := httpclient.DefaultTimeoutOptions
	timeouts.Timeout = 0
	httpOptions.Timeouts = &timeouts
	ca := settings.DecryptedSecureJSONData[secureCACert]
	if ca != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(ca)) {
		return &refusal{Detail: "the CA certificate is not one in PEM", Hint: "paste the whole text of its file, from BEGIN CERTIFICATE to END CERTIFICATE"}
	}
	if ca != "" || o.TLSSkipVerify {
		httpOptions.TLS = &httpclient.TLSOptions{CACertificate: ca, InsecureSkipVerify: o.TLSSkipVerify}
	}
	if d.http, err = httpclient.New(httpOptions); err != nil {
		return fmt.Errorf("make the HTTP client: %w", err)
	}
	d.server, err = client.New(settings.URL, client.Options{
		Token: settings.DecryptedSecureJSONData[secureToken], HTTP: d.http, UserAgent: "millrace-grafana",
		Retries: -1, // a panel is asked again by its reader; its error should come at once
	})
	if err != nil {
		return &refusal{Detail: err.Error(), Hint: "correct it in the data source's settings"}
	}
	return nil
}
