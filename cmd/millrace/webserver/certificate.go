package webserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate in files, read again when they change.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   stamp // of the files that were read last, well or not
}

// stamp tells versions of the two files apart.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func loadCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	now, err := c.stamp()
	if err != nil {
		return nil, fmt.Errorf("read certificate (tls.cert, tls.key): %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read certificate (tls.cert, tls.key): %w", err)
	}
	c.loaded, c.seen = &pair, now
	return c, nil
}

func (c *certificate) stamp() (stamp, error) {
	a, err := os.Stat(c.cert)
	if err != nil {
		return stamp{}, err
	}
	b, err := os.Stat(c.key)
	if err != nil {
		return stamp{}, err
	}
	return stamp{a.ModTime(), b.ModTime(), a.Size(), b.Size()}, nil
}

// get returns the certificate for a handshake. It looks at the files each time, which
// costs microseconds beside the handshake's signature. Of files that do not fit, as when
// only one has been replaced yet, the old pair stays in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := c.stamp()
	if err != nil || now == c.seen {
		return c.loaded, nil
	}
	c.seen = now
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		c.log.Warn("the changed certificate cannot be used; the old one stays", "cert", c.cert, "error", err)
		return c.loaded, nil
	}
	c.loaded = &pair
	c.log.Info("certificate read again", "cert", c.cert)
	return c.loaded, nil
}
