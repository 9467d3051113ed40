package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// sqlCommand runs statements from the arguments, a file or standard input.
func sqlCommand(ctx context.Context, args []string) error {
	fs := flags("sql")
	file := fs.String("f", "", "file of statements; - is standard input")
	format := fs.String("format", "table", "table, json, ndjson, csv or arrow")
	server := clientFlag(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	text := strings.Join(fs.Args(), " ")
	switch {
	case *file == "-" || (*file == "" && text == ""):
		b, err := io.ReadAll(os.Stdin)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		text = string(b)
	case *file != "":
		b, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		text = string(b)
	}
	asked := *format
	if asked == "table" {
		asked = "json"
	}
	body, err := server().sql(ctx, text, asked)
	if err != nil {
		return err
	}
	defer body.Close()
	if *format != "table" {
		_, err = io.Copy(os.Stdout, body)
		return err
	}
	return printTable(os.Stdout, body)
}

// answer is an answer in ClickHouse's JSON shape.
type answer struct {
	Meta []struct{ Name, Type string } `json:"meta"`
	Data []map[string]json.RawMessage  `json:"data"`
	Rows int                           `json:"rows"`
	Prov []source                      `json:"provenance"`
}

// source is one stream or view that an answer is made of.
type source struct {
	View       string `json:"view"` // empty for a stream
	Generation uint64 `json:"generation"`
	Complete   bool   `json:"complete"`
	LagMillis  int64  `json:"lag_ms"`
}

// printTable draws an answer as a table.
func printTable(w io.Writer, body io.Reader) error {
	var a answer
	if err := json.NewDecoder(body).Decode(&a); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	cells := make([][]string, 0, len(a.Data)+1)
	header := make([]string, len(a.Meta))
	for i, m := range a.Meta {
		header[i] = m.Name
	}
	cells = append(cells, header)
	for _, row := range a.Data {
		line := make([]string, len(a.Meta))
		for i, m := range a.Meta {
			line[i] = cell(row[m.Name])
		}
		cells = append(cells, line)
	}
	width := make([]int, len(a.Meta))
	for _, line := range cells {
		for i, c := range line {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var out bytes.Buffer
	for n, line := range cells {
		for i, c := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if isNumber(a.Meta[i].Type) {
				out.WriteString(pad + c)
			} else {
				out.WriteString(c + pad)
			}
			out.WriteString("  ")
		}
		out.WriteByte('\n')
		if n == 0 {
			for _, w := range width {
				out.WriteString(strings.Repeat("─", w) + "  ")
			}
			out.WriteByte('\n')
		}
	}
	fmt.Fprintf(&out, "%d rows", a.Rows)
	for _, p := range a.Prov {
		if p.View == "" {
			continue
		}
		state := "complete"
		if !p.Complete {
			state = fmt.Sprintf("%d ms behind", p.LagMillis)
		}
		fmt.Fprintf(&out, ", %s: generation %d merged with speed, %s", p.View, p.Generation, state)
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}

// cell is a JSON value as text.
func cell(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
	}
	if string(raw) == "null" {
		return "NULL"
	}
	return string(raw)
}

func isNumber(t string) bool {
	t = strings.TrimPrefix(t, "Nullable(")
	return strings.HasPrefix(t, "Int") || strings.HasPrefix(t, "UInt") || strings.HasPrefix(t, "Float")
}
