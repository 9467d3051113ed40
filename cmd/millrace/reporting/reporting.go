// Package reporting makes the parts of reports from the configuration, for the appliance and
// for a scheduler of its own.
//
// The one invariant: whatever process runs reports keeps its runs in the same ledger.
package reporting

import (
	"context"
	"errors"

	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
)

// OpenLedger opens the ledger, which other processes may have open too.
func OpenLedger(c config.Config) (*ledger.Ledger, error) {
	store, err := local.OpenShared(c.LedgerDir())
	if err != nil {
		return nil, err
	}
	return ledger.New(ledger.Options{Store: runs{store}, Lease: c.ReportLease}), nil
}

// NewCourier returns what delivers.
func NewCourier(c config.Config) (*deliver.Courier, error) {
	return deliver.New(deliver.Options{
		SMTP: deliver.SMTP{
			Host: c.SMTPHost, Port: int(c.SMTPPort), Username: c.SMTPUsername, Password: c.SMTPPassword, From: c.SMTPFrom, TLS: c.SMTPTLS,
		},
		Webhook: deliver.WebhookOptions{Secret: c.WebhookSecret},
		Dir:     c.ReportDir,
		S3:      deliver.S3Options{Endpoint: c.S3Endpoint, Region: c.S3Region, AccessKey: c.S3AccessKey, SecretKey: c.S3SecretKey},
	})
}

// runs is the ledger's storage in an object store.
type runs struct{ store objstore.Store }

// PutNew implements ledger.Store.
func (r runs) PutNew(ctx context.Context, name string, data []byte) (created bool, err error) {
	err = r.store.PutNew(ctx, name, data)
	if errors.Is(err, objstore.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Get implements ledger.Store.
func (r runs) Get(ctx context.Context, name string) (data []byte, found bool, err error) {
	data, err = objstore.Get(ctx, r.store, name)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// List implements ledger.Store.
func (r runs) List(ctx context.Context, prefix string) ([]string, error) {
	objects, err := r.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(objects))
	for i, o := range objects {
		names[i] = o.Name
	}
	return names, nil
}

// Delete implements ledger.Store.
func (r runs) Delete(ctx context.Context, name string) error { return r.store.Delete(ctx, name) }
