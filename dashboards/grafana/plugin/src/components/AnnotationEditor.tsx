import type { AnnotationQuery, QueryEditorProps } from '@grafana/data';
import React from 'react';

import type { MillraceDataSource } from '../datasource';
import type { MillraceOptions, MillraceQuery } from '../query';
import { SqlEditor } from './SqlEditor';

type Props = QueryEditorProps<MillraceDataSource, MillraceQuery, MillraceOptions> & {
  annotation?: AnnotationQuery<MillraceQuery>;
  onAnnotationChange?: (annotation: AnnotationQuery<MillraceQuery>) => void;
};

/** AnnotationEditor edits the SQL whose rows become annotations. */
export function AnnotationEditor(props: Props) {
  const query: MillraceQuery = { ...props.query, mode: 'sql', format: 'annotations' };
  const change = (changed: Partial<MillraceQuery>) => props.onChange({ ...query, ...changed });
  const changeAndRun = (changed: Partial<MillraceQuery>) => {
    change(changed);
    props.onRunQuery();
  };
  return (
    <>
      <p>
        Each row is an annotation: <code>time</code>, and where you like <code>timeEnd</code>, <code>title</code>,{' '}
        <code>text</code> and <code>tags</code>. Keep the range of the dashboard with <code>$__timeFilter(column)</code>.
      </p>
      <SqlEditor {...props} query={query} change={change} changeAndRun={changeAndRun} />
    </>
  );
}
