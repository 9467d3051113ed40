package worker

import (
	"context"
	"slices"
)

// obey adds or removes a view and answers the command, at once or when it is done.
func (l *loop) obey(c command) {
	i := slices.IndexFunc(l.views, func(v *view) bool { return v.id == c.view })
	if c.plan != nil {
		if i >= 0 {
			c.reply <- ErrExists
			return
		}
		l.add(c)
		return
	}
	if i < 0 || l.views[i].removed != nil {
		c.reply <- ErrUnknown
		return
	}
	l.remove(l.views[i], c.reply)
}

func (l *loop) add(c command) {
	v := &view{
		id: c.view, plan: c.plan, pipeline: c.plan.NewPipeline(),
		metrics: l.o.Metrics.of(c.view, l.o.Tail.Partition),
		state:   Starting, added: c.reply, groupBytes: initialGroupBytes,
	}
	v.ctx, v.cancel = context.WithCancel(l.ctx)
	l.views = append(l.views, v)
	l.publish(v)
	l.start(v)
}

// remove ends a view. While a job of it runs, the view stays until the job's result.
func (l *loop) remove(v *view, reply chan error) {
	v.removed = reply
	v.cancel()
	if v.added != nil {
		v.added <- ErrRemoved
		v.added = nil
	}
	v.state, v.table, v.flushing = Stalled, nil, false
	if !v.busy {
		l.drop(v)
	}
}

// drop forgets a removed view, of which no job runs any more.
func (l *loop) drop(v *view) {
	l.views = slices.DeleteFunc(l.views, func(o *view) bool { return o == v })
	l.dropStatus(v.id)
	l.o.Metrics.forget(v.id, l.o.Tail.Partition)
	if len(l.views) == 0 {
		l.stopReader()
	}
	v.removed <- nil
}
