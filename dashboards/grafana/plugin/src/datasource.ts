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

/** MillraceDataSource hands queries to the back end, with variables filled in and nothing else changed. */
export class MillraceDataSource extends DataSourceWithBackend<MillraceQuery, MillraceOptions> {
  readonly resources = new Resources(this);

  constructor(settings: DataSourceInstanceSettings<MillraceOptions>) {
    super(settings);
    this.annotations = annotationSupport;
    this.variables = new MillraceVariables(this);
    const append = this.streamOptionsProvider;
    this.streamOptionsProvider = (request, frame) =>
      request.targets.find((q) => q.refId === frame.refId)?.mode === 'operations'
        ? append(request, frame) // the rows of one moment, which go on
        : { action: StreamingFrameAction.Replace }; // the whole answer, which takes the place of the last one
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
