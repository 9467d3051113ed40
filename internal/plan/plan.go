// Package plan turns parsed SQL into logical plans, and a plan into its two back ends:
// vectorised Go for the speed layer and ClickHouse SQL for the batch layer.
//
// The one invariant: both back ends of a plan give the same value for the same rows.
// A function that one of them lacks is refused when the plan is made.
package plan
