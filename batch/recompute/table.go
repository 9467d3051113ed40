package recompute

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// part is one partition of a batch table.
type part struct {
	day        int32
	generation uint64
}

// stored is what ClickHouse knows of a part without reading it.
type stored struct {
	id   string // ClickHouse's name of the partition
	rows int64
}

// prepare makes the view's table ready for a generation after the published one: what a
// run that died left of it goes first.
func (r *Runner) prepare(ctx context.Context, v *catalog.View, published *publication.Manifest) error {
	if err := r.o.Engine.Exec(ctx, v.Plan.CreateTableSQL(r.o.TableName(v.ID))); err != nil {
		return fmt.Errorf("create batch table: %w", err)
	}
	return r.dropParts(ctx, v, func(p part) bool { return p.generation > published.Generation })
}

// parts lists the partitions of the view's table. ClickHouse answers from metadata.
func (r *Runner) parts(ctx context.Context, v *catalog.View) (map[part]stored, error) {
	b, err := r.o.Engine.QueryBatch(ctx, fmt.Sprintf(
		"SELECT _partition_id, toInt32(min(_day)), min(_generation), count() FROM %s GROUP BY _partition_id",
		sql.QuoteName(r.o.TableName(v.ID))))
	if err != nil {
		return nil, fmt.Errorf("list partitions of the batch table: %w", err)
	}
	parts := make(map[part]stored, b.Rows)
	for i := range b.Rows {
		p := part{int32(b.Columns[1].I64[i]), b.Columns[2].U64[i]}
		parts[p] = stored{string(b.Columns[0].Str.At(i)), int64(b.Columns[3].U64[i])}
	}
	return parts, nil
}

// dropParts drops the partitions that the condition names.
func (r *Runner) dropParts(ctx context.Context, v *catalog.View, unwanted func(part) bool) error {
	parts, err := r.parts(ctx, v)
	if err != nil {
		return err
	}
	var drops []string
	for p, s := range parts {
		if unwanted(p) {
			drops = append(drops, "DROP PARTITION ID "+sql.QuoteString(s.id))
		}
	}
	if len(drops) == 0 {
		return nil
	}
	if err := r.o.Engine.Exec(ctx, "ALTER TABLE "+sql.QuoteName(r.o.TableName(v.ID))+" "+strings.Join(drops, ", ")); err != nil {
		return fmt.Errorf("drop %d partitions of the batch table: %w", len(drops), err)
	}
	return nil
}

// stats reads what the partitions hold that meet the condition over _day and _generation.
// One INSERT … SELECT … GROUP BY writes each of them, so that every group is one row and
// background merges change nothing. The checksum is the sum of the hashes of the groups
// with their hidden counts, which does not depend on their order.
func (r *Runner) stats(ctx context.Context, v *catalog.View, condition string) (map[part]publication.Day, error) {
	keys := "_pane"
	for _, k := range v.Plan.Keys {
		name := sql.QuoteName(k.Name)
		if k.Type.Nullable { // the hash of a null is null, which no sum counts
			name = fmt.Sprintf("isNull(%[1]s), ifNull(toString(%[1]s), '')", name)
		}
		keys += ", " + name
	}
	count := "finalizeAggregation(" + sql.QuoteName(plan.RowsAggregate) + ")"
	b, err := r.o.Engine.QueryBatch(ctx, fmt.Sprintf(
		"SELECT toInt32(_day), _generation, count(), sum(%[1]s), toString(sum(cityHash64(%[2]s, %[1]s))) FROM %[3]s WHERE %[4]s GROUP BY _day, _generation",
		count, keys, sql.QuoteName(r.o.TableName(v.ID)), condition))
	if err != nil {
		return nil, fmt.Errorf("read checksums of the batch table: %w", err)
	}
	days := make(map[part]publication.Day, b.Rows)
	for i := range b.Rows {
		p := part{int32(b.Columns[0].I64[i]), b.Columns[1].U64[i]}
		days[p] = publication.Day{
			Generation: p.generation, Groups: int64(b.Columns[2].U64[i]), Events: int64(b.Columns[3].U64[i]),
			Checksum: string(b.Columns[4].Str.At(i)),
		}
	}
	return days, nil
}
