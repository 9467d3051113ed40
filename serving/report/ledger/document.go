package ledger

import (
	"context"
	"fmt"
)

const documentsPrefix = "documents/"

// PutDocument keeps a document of the run; part tells those of one run apart. Its object has
// the number of the claim's next entry and the owner, so that what a lost claim writes is
// never what the run's entries name.
func (c *Claim) PutDocument(part string, d Document, content []byte) (Document, error) {
	c.mu.Lock()
	r := c.record
	c.mu.Unlock()
	d.Object = fmt.Sprintf("%s%s/%s/%06d-%s-%s", documentsPrefix, r.Report, r.ID, r.seq+1, c.ledger.owner, part)
	if _, err := c.ledger.store.PutNew(c.ctx, d.Object, content); err != nil {
		return d, fmt.Errorf("keep document of run %s: %w", r.ID, err)
	}
	return d, nil
}

// Content reads a document.
func (l *Ledger) Content(ctx context.Context, d Document) (content []byte, found bool, err error) {
	if content, found, err = l.store.Get(ctx, d.Object); err != nil {
		return nil, false, fmt.Errorf("read document %s: %w", d.Object, err)
	}
	return content, found, nil
}
