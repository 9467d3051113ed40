import type { AnnotationQuery, AnnotationSupport } from '@grafana/data';

import { AnnotationEditor } from './components/AnnotationEditor';
import { isComplete, type MillraceQuery } from './query';

/** Annotations are the rows of SQL with the columns time, timeEnd, title, text and tags, which Grafana knows by name. */
export const annotationSupport: AnnotationSupport<MillraceQuery> = {
  QueryEditor: AnnotationEditor,

  getDefaultQuery: () => ({ mode: 'sql', format: 'annotations', sql: '' }),

  prepareQuery(annotation: AnnotationQuery<MillraceQuery>): MillraceQuery | undefined {
    const { target } = annotation;
    if (!target || !isComplete(target)) {
      return undefined;
    }
    return { ...target, refId: target.refId || 'annotation', format: 'annotations', live: false };
  },
};
