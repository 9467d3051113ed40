import {
  onUpdateDatasourceJsonDataOptionChecked,
  onUpdateDatasourceOption,
  onUpdateDatasourceSecureJsonDataOption,
  updateDatasourcePluginJsonDataOption,
  updateDatasourcePluginResetOption,
  type DataSourcePluginOptionsEditorProps,
} from '@grafana/data';
import { Field, Input, SecretInput, SecretTextArea, Switch } from '@grafana/ui';
import React, { useId } from 'react';

import type { MillraceOptions, MillraceSecureOptions } from '../query';
import { wholeNumber } from './numbers';

type Props = DataSourcePluginOptionsEditorProps<MillraceOptions, MillraceSecureOptions>;

/** ConfigEditor holds the server's address and the token. A stored secret is never shown again, only replaced. */
export function ConfigEditor(props: Props) {
  const { options } = props;
  const { jsonData, secureJsonData, secureJsonFields } = options;
  const id = useId();
  const urlError = options.url ? addressError(options.url) : '';
  const overTLS = options.url.startsWith('https:');

  return (
    <>
      <Field
        label="URL"
        description="Where Grafana’s server reaches Millrace"
        required
        invalid={urlError !== ''}
        error={urlError}
      >
        <Input
          id={`${id}-url`}
          value={options.url}
          placeholder="http://127.0.0.1:8080"
          spellCheck={false}
          width={60}
          onChange={onUpdateDatasourceOption(props, 'url')}
        />
      </Field>
      <Field
        label="Token"
        description="Made by “millrace token create --role sql”: it may look and run SELECT. A read token has no SQL. Kept encrypted"
      >
        <SecretInput
          id={`${id}-token`}
          isConfigured={secureJsonFields?.['token'] ?? false}
          value={secureJsonData?.token ?? ''}
          placeholder="mr_…"
          autoComplete="off"
          width={60}
          onChange={onUpdateDatasourceSecureJsonDataOption(props, 'token')}
          onReset={() => updateDatasourcePluginResetOption(props, 'token')}
        />
      </Field>
      <Field label="Timeout" description="Seconds until a question is given up">
        <Input
          id={`${id}-timeout`}
          type="number"
          min={1}
          step={1}
          value={jsonData.timeoutSeconds ?? ''}
          placeholder="30"
          suffix="s"
          width={20}
          onChange={(e) => updateDatasourcePluginJsonDataOption(props, 'timeoutSeconds', wholeNumber(e.currentTarget.value))}
        />
      </Field>
      {overTLS && (
        <>
          <Field label="CA certificate" description="PEM, where the server’s certificate is not by an authority that this machine knows">
            <SecretTextArea
              id={`${id}-ca`}
              isConfigured={secureJsonFields?.['tlsCACert'] ?? false}
              value={secureJsonData?.tlsCACert ?? ''}
              placeholder="-----BEGIN CERTIFICATE-----"
              rows={6}
              cols={60}
              onChange={onUpdateDatasourceSecureJsonDataOption(props, 'tlsCACert')}
              onReset={() => updateDatasourcePluginResetOption(props, 'tlsCACert')}
            />
          </Field>
          <Field
            label="Skip TLS verification"
            description="Takes any certificate, and so anybody for the server: for trying things out only"
          >
            <Switch
              id={`${id}-skip`}
              value={jsonData.tlsSkipVerify ?? false}
              onChange={onUpdateDatasourceJsonDataOptionChecked(props, 'tlsSkipVerify')}
            />
          </Field>
        </>
      )}
    </>
  );
}

// addressError says what is wrong with an address, or ''.
function addressError(address: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return 'Write the whole address, such as http://127.0.0.1:8080';
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return 'The address begins with http:// or https://';
  }
  if (url.username || url.password) {
    return 'Leave user and password out of the address: the token goes below, where it is kept encrypted';
  }
  return '';
}
