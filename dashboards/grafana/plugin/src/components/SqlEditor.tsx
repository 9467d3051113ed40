import { CodeEditor, FieldValidationMessage, Text, type Monaco, type MonacoEditor, type monacoTypes } from '@grafana/ui';
import React, { useCallback, useEffect, useRef, useState } from 'react';

import { interpolateSQL } from '../interpolate';
import { complete } from '../sql/completion';
import { languageId, registerLanguage } from '../sql/language';
import { markers } from '../sql/markers';
import type { ModeProps } from './QueryEditor';
import { useCheck, verdictText } from './useCheck';

interface Mounted {
  editor: MonacoEditor;
  monaco: Monaco;
  model: monacoTypes.editor.ITextModel;
}

/** SqlEditor edits SQL with completion, and marks what the server would refuse. */
export function SqlEditor({ datasource, query, change, onRunQuery }: ModeProps) {
  const sql = query.sql ?? '';
  const [mounted, setMounted] = useState<Mounted>();
  const check = useCallback((text: string) => datasource.resources.checkSQL(interpolateSQL(text)), [datasource]);
  const verdict = useCheck(sql, check);
  const told = verdictText(verdict);

  // The editor is made once and would call the functions of that render for ever.
  const latest = useRef({ change, onRunQuery });
  useEffect(() => {
    latest.current = { change, onRunQuery };
  });

  useEffect(() => {
    if (mounted) {
      mounted.monaco.editor.setModelMarkers(mounted.model, languageId, markers(mounted.monaco, sql, interpolateSQL(sql), verdict));
    }
  }, [mounted, sql, verdict]);

  useEffect(() => {
    if (!mounted) {
      return;
    }
    const { model, monaco } = mounted;
    const completion = monaco.languages.registerCompletionItemProvider(languageId, {
      triggerCharacters: ['$', '.', ' '],
      provideCompletionItems: async (asked, position) => {
        if (asked.id !== model.id) {
          return { suggestions: [] }; // another panel's editor, which has its own
        }
        return { suggestions: await complete(monaco, datasource.resources, asked, position) };
      },
    });
    return () => completion.dispose();
  }, [mounted, datasource]);

  const onMount = (editor: MonacoEditor, monaco: Monaco) => {
    const model = editor.getModel();
    if (!model) {
      return;
    }
    editor.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter, () => {
      latest.current.change({ sql: editor.getValue() });
      latest.current.onRunQuery();
    });
    setMounted({ editor, monaco, model });
  };

  return (
    <>
      <CodeEditor
        language={languageId}
        value={sql}
        height={180}
        showLineNumbers
        showMiniMap={false}
        monacoOptions={{
          ariaLabel: 'SQL',
          scrollBeyondLastLine: false,
          quickSuggestions: { other: true, comments: false, strings: false },
        }}
        onBeforeEditorMount={registerLanguage}
        onEditorDidMount={onMount}
        onChange={(text) => latest.current.change({ sql: text })}
        onBlur={(text) => {
          change({ sql: text });
          onRunQuery();
        }}
      />
      {verdict?.ok === false ? (
        <FieldValidationMessage>{told}</FieldValidationMessage>
      ) : (
        <div role="status">
          <Text variant="bodySmall" color="secondary">
            {told || 'Ctrl-Enter runs the query, Ctrl-Space completes, Ctrl-M lets Tab leave the editor.'}
          </Text>
        </div>
      )}
    </>
  );
}
