import { Combobox, InlineField, type ComboboxOption } from '@grafana/ui';
import React, { useId } from 'react';

import type { Answer } from './useAnswer';

interface Props {
  label: string;
  /** What a name is of, in a sentence: "view". */
  what: string;
  tooltip?: string;
  names: Answer<ComboboxOption[]>;
  value: string | undefined;
  onChange: (name: string) => void;
  labelWidth?: number;
}

/** NameSelect chooses one of the names that the server has, or a template variable that holds one. */
export function NameSelect({ label, what, tooltip, names, value, onChange, labelWidth = 14 }: Props) {
  const id = useId();
  const unknown = Boolean(value) && !isTemplate(value) && names.value !== undefined && !names.value.some((n) => n.value === value);
  const error = unknown ? `There is no ${what} “${value}”, or the token may not read it.` : names.error;
  return (
    <InlineField label={label} labelWidth={labelWidth} tooltip={tooltip} invalid={Boolean(error)} error={error}>
      <Combobox
        id={id}
        options={names.value ?? []}
        value={value || null}
        onChange={(chosen) => onChange(chosen.value)}
        loading={names.loading}
        createCustomValue
        customValueDescription={`A ${what} by this name, or a variable`}
        placeholder={names.loading ? 'Loading…' : `Choose a ${what}`}
        width={32}
      />
    </InlineField>
  );
}

/** isTemplate reports whether a name has a template variable in it, whose value is not known here. */
export function isTemplate(name: string | undefined): boolean {
  return /\$\w|\$\{|\[\[/.test(name ?? '');
}
