import { Alert, Button } from '@grafana/ui';
import React from 'react';

interface Props {
  /** What could not be had: "the views". */
  what: string;
  error: string | undefined;
  onRetry: () => void;
}

/** Unreachable says that a list could not be read, why, and lets it be tried again. */
export function Unreachable({ what, error, onRetry }: Props) {
  if (!error) {
    return null;
  }
  return (
    <Alert title={`Millrace did not answer with ${what}`} severity="error" topSpacing={1} bottomSpacing={1}>
      <p>{error}</p>
      <Button size="sm" variant="secondary" icon="sync" onClick={onRetry}>
        Try again
      </Button>
    </Alert>
  );
}
