package datasource

import (
	"context"
	"fmt"
	"strconv"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// boardFrame asks a leaderboard.
func (d *Datasource) boardFrame(ctx context.Context, q *Query) (*data.Frame, error) {
	top, err := d.server.Top(ctx, q.Board, boardQuery(q))
	if err != nil {
		return nil, err
	}
	return d.boardAnswer(ctx, q, top)
}

// boardQuery is the question to a leaderboard.
func boardQuery(q *Query) client.TopQuery {
	return client.TopQuery{N: q.N, Scope: client.Scope{Window: q.Window}}
}

// boardAnswer makes a frame of a page of a leaderboard. Ranks are numbers of Grafana, as
// scores are; a score of more than 53 bits is shown as near as a float is.
func (d *Datasource) boardAnswer(ctx context.Context, q *Query, top *client.Standing) (*data.Frame, error) {
	ranks, members, scores := make([]int64, len(top.Rows)), make([]string, len(top.Rows)), make([]*float64, len(top.Rows))
	for i, place := range top.Rows {
		if place.Rank != nil {
			ranks[i] = *place.Rank
		}
		members[i] = string(place.Member)
		if place.Score == nil {
			continue // infinite
		}
		score, err := strconv.ParseFloat(place.Score.String(), 64)
		if err != nil {
			return nil, fmt.Errorf("read the score of %s: %w", place.Member, err)
		}
		scores[i] = &score
	}
	boards, err := d.boards.get(ctx)
	if err != nil {
		return nil, err
	}
	b := boards[q.Board]
	f := data.NewFrame("", data.NewField("rank", nil, ranks), data.NewField(b.Member, nil, members), data.NewField(b.Score, nil, scores))
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeTable}
	if q.Format == formatTimeSeries { // one number for each member, as alert rules take it
		f.Fields, f.Meta.Type = f.Fields[1:], data.FrameTypeNumericLong
	}
	if err := d.describe(ctx, f, []client.Source{top.Source}); err != nil {
		return nil, err
	}
	f.Meta.ExecutedQueryString = fmt.Sprintf("GET /v1/leaderboards/%s/top?n=%d&window=%s", q.Board, q.N, top.Window.Name)
	return f, nil
}

// followBoard sends a frame for each answer of a leaderboard.
func (d *Datasource) followBoard(ctx context.Context, q *Query, send sendFrame) error {
	return followed(d.server.WatchTop(ctx, q.Board, boardQuery(q), liveEvery), send, func(top *client.Standing) (*data.Frame, error) {
		return d.boardAnswer(ctx, q, top)
	})
}
