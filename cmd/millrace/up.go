package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/millrace/millrace/cmd/millrace/appliance"
	"github.com/millrace/millrace/cmd/millrace/webserver"
	"github.com/millrace/millrace/internal/config"
)

const (
	// drainTimeout is how long requests under way may take once the process is told to end.
	drainTimeout = 10 * time.Second
	// stopTimeout bounds the end of the appliance after that.
	stopTimeout = 30 * time.Second
	// gcPercent is how much the heap grows between two collections, where GOGC does not say
	// it. A collection marks for a tenth of a second on cores that requests want; Go's 100
	// has one often enough for one request in a hundred to meet it at a few thousand a second.
	gcPercent = 200
)

// up runs the appliance until it is told to end.
func up(ctx context.Context, args []string) error {
	fs := flags("up")
	load := config.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg, err := load(os.Environ())
	if err != nil {
		return err
	}
	return serve(ctx, cfg, newLogger(cfg), func(_ context.Context, url string) error {
		fmt.Printf("millrace %s is up at %s\n", version, url)
		return nil
	})
}

func newLogger(cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // validated by config
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// serve runs the appliance and, once it answers, whenUp beside it. It returns when ctx
// has ended or something failed, after everything has stopped: the network first, so
// that nothing new comes in, then the parts from the top down to the storage.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, whenUp func(ctx context.Context, url string) error) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// 1. Certificate and address, before anything that takes long: what is wrong with them
	// should be said at once.
	server, err := webserver.New(webserver.Options{Cert: cfg.TLSCert, Key: cfg.TLSKey, Log: log})
	if err != nil {
		return err
	}
	clickhouseServer, err := webserver.New(webserver.Options{Cert: cfg.TLSCert, Key: cfg.TLSKey, Log: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	clickhouse, err := listenForClickHouse(cfg)
	if err != nil {
		return err
	}
	if clickhouse != nil {
		defer clickhouse.Close()
	}

	// 2. The parts, bottom-up.
	a, err := appliance.Start(ctx, appliance.Options{Config: cfg, Log: log, Version: version})
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, a.Stop(stopping))
	}()

	// 3. The network, last: whoever connects finds everything there.
	if warning := exposure(cfg); warning != "" {
		log.Warn(warning)
	}
	if secret := a.FirstAdminToken(); secret != "" {
		fmt.Printf("first admin token, shown only now: %s\n", secret)
	}
	failed := make(chan error, 3)
	go func() { failed <- server.Serve(listener, a.Handler()) }()
	if clickhouse != nil {
		go func() { failed <- clickhouseServer.Serve(clickhouse, a.ClickHouse()) }()
		fmt.Printf("clients of ClickHouse find it at %s\n", clickhouseServer.URL(clickhouse))
	}
	beside, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		if err := whenUp(beside, server.URL(listener)); err != nil && beside.Err() == nil {
			failed <- err
		}
	}()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	<-finished
	log.Info("stopping")
	draining, stop := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer stop()
	a.EndStreams()
	clickhouseServer.Stop(draining)
	server.Stop(draining)
	return err
}

// exposure is what to warn of where tokens and data would cross a network in the clear.
func exposure(cfg config.Config) string {
	if !cfg.Exposed() || cfg.TLSCert != "" {
		return ""
	}
	return "the server listens beyond this machine without TLS: tokens and data can be read on the way; set tls.cert and tls.key, or put a TLS proxy in front"
}
