package main

import (
	"fmt"
	"net"

	"github.com/millrace/millrace/internal/config"
)

// listenForClickHouse takes the address of the ClickHouse endpoint; nil where it is off.
// Its default is the port of every ClickHouse server, which may well be running here.
func listenForClickHouse(cfg config.Config) (net.Listener, error) {
	if cfg.ClickHouseListen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", cfg.ClickHouseListen)
	if err != nil {
		return nil, fmt.Errorf("listen for clients of ClickHouse at clickhouse.listen: %w; give it another address, or an empty one to do without", err)
	}
	return l, nil
}
