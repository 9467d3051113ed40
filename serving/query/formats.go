package query

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/problem"
)

// formats are the formats of answers, as ClickHouse names them. Left out are those that
// take a schema or template from a file, those of SQL text, and those that write other than
// the rows (Null, and the framed ones of MySQL and PostgreSQL).
var formats = []string{
	"JSON", "JSONCompact", "JSONStrings", "JSONCompactStrings", "JSONColumns", "JSONCompactColumns", "JSONColumnsWithMetadata",
	"JSONEachRow", "JSONLines", "NDJSON", "JSONStringsEachRow", "JSONCompactEachRow", "JSONCompactEachRowWithNames", "JSONCompactEachRowWithNamesAndTypes",
	"JSONCompactStringsEachRow", "JSONCompactStringsEachRowWithNames", "JSONCompactStringsEachRowWithNamesAndTypes",
	"JSONEachRowWithProgress", "JSONObjectEachRow",
	"CSV", "CSVWithNames", "CSVWithNamesAndTypes",
	"TabSeparated", "TabSeparatedRaw", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "TabSeparatedRawWithNames", "TabSeparatedRawWithNamesAndTypes",
	"TSV", "TSVRaw", "TSVWithNames", "TSVWithNamesAndTypes", "TSVRawWithNames", "TSVRawWithNamesAndTypes",
	"Pretty", "PrettyNoEscapes", "PrettyCompact", "PrettyCompactNoEscapes", "PrettyCompactMonoBlock", "PrettySpace", "PrettySpaceNoEscapes", "PrettyMonoBlock",
	"Vertical", "Values", "XML", "Markdown", "TSKV",
	"Native", "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "Arrow", "ArrowStream", "Parquet", "ORC", "Avro", "MsgPack", "BSONEachRow",
}

// formatName returns a format's name as ClickHouse spells it; "" is JSON.
func formatName(name string) (string, error) {
	if name == "" {
		return "JSON", nil
	}
	for _, f := range formats {
		if strings.EqualFold(f, name) {
			return f, nil
		}
	}
	return "", problem.New(http.StatusBadRequest, "unknown-format", fmt.Sprintf("unknown format %q", name), "use JSON, JSONEachRow, CSVWithNames, Parquet, Arrow, Native, Pretty or another of ClickHouse's")
}

var (
	// harmlessSettings change how an answer is written or lower a limit; a query's own limits
	// are held against those of its caller.
	harmlessSettings = []string{
		"date_time_output_format", "join_use_nulls", "group_by_use_nulls", "union_default_mode", "session_timezone", "extremes",
		"max_result_rows", "max_result_bytes", "max_memory_usage", "max_threads", "max_block_size",
		"prefer_column_name_to_alias", "final", "interval_output_format", "low_cardinality_allow_in_native_format",
	}
	// ignoredSettings are sent by clients as a matter of course and have one value here.
	ignoredSettings = map[string]bool{
		"readonly": true, "max_execution_time": true, "wait_end_of_query": true, "send_progress_in_http_headers": true,
		"http_headers_progress_interval_ms": true, "cancel_http_readonly_queries_on_client_close": true, "enable_http_compression": true,
		"http_write_exception_in_output_format": true, "log_comment": true, "log_queries": true, "use_uncompressed_cache": true,
	}
	// fileSettings name files.
	fileSettings = []string{"format_schema", "format_template", "format_avro_schema", "format_protobuf", "format_capn", "output_format_schema"}
)

// maxThreads bounds what a caller may ask for: beyond it nothing runs faster.
const maxThreads = 64

// checkSettings refuses settings that are not harmless, with ClickHouse's own code for a
// setting that cannot be changed.
func checkSettings(settings map[string]string) error {
	for name, value := range settings {
		prefixed := strings.HasPrefix(name, "output_format_") || strings.HasPrefix(name, "format_")
		if slices.ContainsFunc(fileSettings, func(p string) bool { return strings.HasPrefix(name, p) }) {
			prefixed = false
		}
		if !prefixed && !slices.Contains(harmlessSettings, name) && !ignoredSettings[name] {
			return problem.New(http.StatusBadRequest, "readonly-setting", fmt.Sprintf("cannot modify '%s' setting in readonly mode", name), "leave it out; settings of formats may be given")
		}
		if threads, err := strconv.Atoi(value); name == "max_threads" && (err != nil || threads < 1 || threads > maxThreads) {
			return problem.New(http.StatusBadRequest, "bad-parameter", fmt.Sprintf("max_threads: %q is no number from 1 to %d", value, maxThreads), "")
		}
	}
	return nil
}
