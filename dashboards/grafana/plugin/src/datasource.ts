import {
  CoreApp,
  StreamingFrameAction,
  type DataSourceInstanceSettings,
  type ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';

import { annotationSupport } from './annotations';
import { interpolateQuery } from './interpolate';
import { defaultQuery, displayText, isComplete, type MillraceOptions, type MillraceQuery } from './query';
import { Resources } from './resources';
import { MillraceVariables } from './variables';

/** What the back end writes into a live frame's meta data. */
interface LiveMeta {
  stream?: 'append' | 'replace';
}

/** MillraceDataSource hands queries to the back end, with variables filled in and nothing else changed. */
export class MillraceDataSource extends DataSourceWithBackend<MillraceQuery, MillraceOptions> {
  readonly resources = new Resources(this);

  constructor(settings: DataSourceInstanceSettings<MillraceOptions>) {
    super(settings);
    this.annotations = annotationSupport;
    this.variables = new MillraceVariables(this);
    // A message of a live query is the whole answer, which takes the place of the last one,
    // unless the back end says that it is a row which goes on.
    const append = this.streamOptionsProvider;
    this.streamOptionsProvider = (request, frame) =>
      (frame.meta?.custom as LiveMeta | undefined)?.stream === 'append'
        ? append(request, frame)
        : { action: StreamingFrameAction.Replace };
  }

  override getDefaultQuery(app: CoreApp): Partial<MillraceQuery> {
    return app === CoreApp.Explore ? { ...defaultQuery, mode: 'sql', format: 'table', sql: '' } : defaultQuery;
  }

  override filterQuery(query: MillraceQuery): boolean {
    return !query.hide && isComplete(query);
  }

  override getQueryDisplayText(query: MillraceQuery): string {
    return displayText(query);
  }

  override applyTemplateVariables(query: MillraceQuery, scopedVars: ScopedVars): MillraceQuery {
    return interpolateQuery(query, scopedVars);
  }
}
