package deliver

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Options are the settings of an S3 service.
type S3Options struct {
	Endpoint             string // https://host or http://host:port
	Region               string
	AccessKey, SecretKey string
}

type bucket struct{ client *minio.Client }

func newBucket(o S3Options) (*bucket, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("reports.s3.endpoint: %q is not https://host", o.Endpoint)
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure: u.Scheme == "https", Region: o.Region,
		MaxRetries: 1, // the ledger's own attempts come after
	})
	if err != nil {
		return nil, fmt.Errorf("open S3: %w", err)
	}
	return &bucket{client}, nil
}

// deliver writes the object, in one step as S3 does. A second attempt replaces it by the
// same.
func (b *bucket) deliver(ctx context.Context, t Target, m *Message) error {
	key := t.place(m)
	_, err := b.client.PutObject(ctx, t.Bucket, key, bytes.NewReader(m.Content), int64(len(m.Content)), minio.PutObjectOptions{ContentType: m.Type})
	if err == nil {
		return nil
	}
	status := minio.ToErrorResponse(err).StatusCode
	err = failed(fmt.Sprintf("write s3://%s/%s", t.Bucket, key), withoutAddress(err))
	switch status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest:
		return final(err)
	}
	return err
}
