import { DataSourcePlugin } from '@grafana/data';

import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { QueryHelp } from './components/QueryHelp';
import { MillraceDataSource } from './datasource';
import type { MillraceOptions, MillraceQuery, MillraceSecureOptions } from './query';

export const plugin = new DataSourcePlugin<MillraceDataSource, MillraceQuery, MillraceOptions, MillraceSecureOptions>(
  MillraceDataSource
)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor)
  .setQueryEditorHelp(QueryHelp);
