package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/millrace/millrace/cmd/millrace/appliance"
	"github.com/millrace/millrace/dashboards/grafana/datasource"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/client"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// executable builds the plugin once for all tests.
var executable = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-plugin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gpx_millrace_datasource")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	return path, nil
})

// grafana stands where Grafana stands: it started the plugin's executable, and speaks
// its gRPC services.
type grafana struct {
	t           *testing.T
	data        grpcplugin.DataClient
	diagnostics grpcplugin.DiagnosticsClient
	resource    grpcplugin.ResourceClient
	stream      grpcplugin.StreamClient
	logged      *lockedBuffer // what the plugin logs, as JSON lines
}

// lockedBuffer is written by the reader of the plugin's standard error.
type lockedBuffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}

// startPlugin starts the plugin as Grafana does: the handshake on its standard output,
// then gRPC on the address that it names there.
func startPlugin(t *testing.T) *grafana {
	t.Helper()
	path, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	g := &grafana{t: t, logged: &lockedBuffer{}}
	c := plugin.NewClient(&plugin.ClientConfig{
		Cmd: exec.Command(path),
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{grpcplugin.ProtocolVersion: {
			"data": &grpcplugin.DataGRPCPlugin{}, "diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
			"resource": &grpcplugin.ResourceGRPCPlugin{}, "stream": &grpcplugin.StreamGRPCPlugin{},
		}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: g.logged, Level: hclog.Info}),
	})
	t.Cleanup(c.Kill)
	protocol, err := c.Client()
	if err != nil {
		t.Fatalf("shake hands with the plugin: %v\n%s", err, g.logged)
	}
	g.data = service[grpcplugin.DataClient](t, protocol, "data")
	g.diagnostics = service[grpcplugin.DiagnosticsClient](t, protocol, "diagnostics")
	g.resource = service[grpcplugin.ResourceClient](t, protocol, "resource")
	g.stream = service[grpcplugin.StreamClient](t, protocol, "stream")
	return g
}

func service[T any](t *testing.T, protocol plugin.ClientProtocol, name string) T {
	t.Helper()
	raw, err := protocol.Dispense(name)
	if err != nil {
		t.Fatalf("service %s: %v", name, err)
	}
	s, ok := raw.(T)
	if !ok {
		t.Fatalf("service %s is a %T", name, raw)
	}
	return s
}

// uid is that of the data source under test.
const uid = "millrace-test"

// settings are those of a data source.
func settings(url, token string) *pluginv2.PluginContext {
	secrets := map[string]string{}
	if token != "" {
		secrets["token"] = token
	}
	return &pluginv2.PluginContext{
		OrgId: 1, PluginId: datasource.PluginID,
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{
			Id: int64(len(url)+len(token)) + 1, Uid: uid, Name: "Millrace", Url: url, JsonData: []byte(`{"timeoutSeconds":20}`),
			DecryptedSecureJsonData: secrets, LastUpdatedMS: time.Now().UnixMilli(),
		},
	}
}

// panel is a query as a dashboard sends it.
type panel struct {
	from, to time.Time
	interval time.Duration
	query    datasource.Query
}

// ask sends a panel's query and returns the answer.
func (g *grafana) ask(from *pluginv2.PluginContext, p panel) *pluginv2.DataResponse {
	g.t.Helper()
	text, err := json.Marshal(p.query)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.askJSON(from, p, text)
}

// askJSON is ask for a query in JSON.
func (g *grafana) askJSON(from *pluginv2.PluginContext, p panel, query []byte) *pluginv2.DataResponse {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reply, err := g.data.QueryData(ctx, &pluginv2.QueryDataRequest{PluginContext: from, Queries: []*pluginv2.DataQuery{{
		RefId: "A", MaxDataPoints: 1000, IntervalMS: p.interval.Milliseconds(), Json: query,
		TimeRange: &pluginv2.TimeRange{FromEpochMS: p.from.UnixMilli(), ToEpochMS: p.to.UnixMilli()},
	}}})
	if err != nil {
		g.t.Fatalf("query %s: %v", query, err)
	}
	return reply.Responses["A"]
}

// frame is the one frame of an answer without an error.
func (g *grafana) frame(reply *pluginv2.DataResponse) *data.Frame {
	g.t.Helper()
	if reply.Error != "" || len(reply.Frames) != 1 {
		g.t.Fatalf("status %d, %d frames, error %q", reply.Status, len(reply.Frames), reply.Error)
	}
	f, err := data.UnmarshalArrowFrame(reply.Frames[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return f
}

// health asks for a health check.
func (g *grafana) health(from *pluginv2.PluginContext) *pluginv2.CheckHealthResponse {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reply, err := g.diagnostics.CheckHealth(ctx, &pluginv2.CheckHealthRequest{PluginContext: from})
	if err != nil {
		g.t.Fatal(err)
	}
	return reply
}

// call calls a resource.
func (g *grafana) call(from *pluginv2.PluginContext, method, url, body string) (status int, text string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path, _, _ := bytes.Cut([]byte(url), []byte("?"))
	reply, err := g.resource.CallResource(ctx, &pluginv2.CallResourceRequest{PluginContext: from, Method: method, Path: string(path), Url: url, Body: []byte(body)})
	if err != nil {
		g.t.Fatal(err)
	}
	first, err := reply.Recv()
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, url, err)
	}
	if _, err := reply.Recv(); err != io.EOF {
		g.t.Fatalf("%s %s: more than one answer: %v", method, url, err)
	}
	return int(first.Code), string(first.Body)
}

// startMillrace starts an appliance with the real engine behind a real listener.
func startMillrace(t *testing.T, change func(*config.Config)) (url string, c *client.Client) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Epoch, cfg.Flush, cfg.Grace = t.TempDir(), time.Second, 20*time.Millisecond, time.Second
	cfg.ClickHouseDSN = enginetest.Engine(t).DSN()
	if change != nil {
		change(&cfg)
	}
	a, err := appliance.Start(t.Context(), appliance.Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err = client.New(server.URL, client.Options{Token: a.FirstAdminToken(), HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return server.URL, c
}
