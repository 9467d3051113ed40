package ranking

import (
	"fmt"
	"strconv"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sortkey"
	"github.com/millrace/millrace/internal/sql"
)

// AppendMember appends a member as the end of an element: texts as they are, the rest as
// numbers that compare as their values do. ok is false for NULL, which is no member.
func AppendMember(dst []byte, v *event.Vector, row int) (out []byte, ok bool) {
	if v.Null(row) {
		return dst, false
	}
	switch v.Type.Kind {
	case event.Bool:
		return append(dst, v.U8[row]), true
	case event.UInt64:
		return sortkey.AppendUInt64(dst, v.U64[row]), true
	case event.String:
		return append(dst, v.Str.At(row)...), true
	default: // Int64, Date, DateTime64; a leaderboard has no members of Float64
		return sortkey.AppendInt64(dst, v.I64[row]), true
	}
}

// ReadMember appends a member that AppendMember wrote to v, whose type is the member's.
func ReadMember(v *event.Vector, member []byte) error {
	size := map[event.Kind]int{event.Bool: 1, event.String: len(member)}[v.Type.Kind]
	if size == 0 && v.Type.Kind != event.String {
		size = sortkey.Size
	}
	if len(member) != size {
		return fmt.Errorf("a member of type %s has %d bytes", v.Type, len(member))
	}
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(member[0] != 0)
	case event.UInt64:
		v.AppendUInt64(sortkey.UInt64(member))
	case event.String:
		v.AppendString(member)
	default:
		v.AppendInt64(sortkey.Int64(member))
	}
	return nil
}

// ParseMember reads a member as a person writes it, as in a URL. The error says what the
// text is not.
func ParseMember(b *plan.Board, text string) (*event.Vector, error) {
	v := &event.Vector{Type: b.View.Keys[0].Type.NotNull()}
	var err error
	switch v.Type.Kind {
	case event.String:
		v.AppendString([]byte(text))
	case event.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v.AppendInt64(n)
	case event.UInt64:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v.AppendUInt64(n)
	case event.Bool:
		v.AppendBool(text == "true")
		if text != "true" && text != "false" {
			err = strconv.ErrSyntax
		}
	default:
		err = parseTime(v, text)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a %s", text, v.Type)
	}
	return v, nil
}

// parseTime appends a Date or DateTime64 as CAST reads it from a text.
func parseTime(v *event.Vector, text string) error {
	cast := &sql.Call{Name: "CAST", Args: []sql.Expr{&sql.Literal{Value: text}, &sql.Literal{Value: v.Type.String()}}}
	bound, err := plan.BindExpr(cast, &event.Schema{})
	if err != nil {
		return err
	}
	value, err := plan.Compile(bound).Eval(nil, 1)
	if err != nil {
		return err
	}
	v.AppendRange(value, 0, 1)
	return nil
}
