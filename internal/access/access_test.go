package access

import (
	"slices"
	"testing"
)

// TestNothingIsAllowedByDefault: the zero principal, an unknown role and an unknown right
// get nothing but what is public.
func TestNothingIsAllowedByDefault(t *testing.T) {
	for _, p := range []Principal{{}, {Role: "root"}, {Objects: []string{"a"}}, From(t.Context())} {
		for _, right := range append(slices.Clone(Rights), "", "unheard-of") {
			for _, object := range []string{"", "a"} {
				if got := p.May(right, object); got != (right == Public) {
					t.Errorf("%+v may %s on %q: %v", p, right, object, got)
				}
			}
		}
	}
	for _, right := range []Right{"", "unheard-of"} {
		if Root.May(right, "a") {
			t.Errorf("root has the right %q", right)
		}
	}
}

func TestRightsOfRoles(t *testing.T) {
	for role, want := range map[Role][]Right{
		Ingest: {Public, Append}, Read: {Public, Look, Watch}, SQL: {Public, Look, Query, Watch}, Admin: Rights,
	} {
		all := With(t.Context(), Principal{ID: "x", Role: role})
		some := Principal{ID: "x", Role: role, Objects: []string{"a", "b"}}
		for _, right := range Rights {
			has := slices.Contains(want, right)
			if From(all).May(right, "a") != has {
				t.Errorf("%s for all: %s is %v", role, right, !has)
			}
			// A token for some has its rights on those, and does not see figures of all.
			if got := some.May(right, "b"); got != (has && (right != Watch || role == Admin)) {
				t.Errorf("%s for some: %s is %v", role, right, got)
			}
			if got := some.May(right, "c"); got != (role == Admin || right == Public) {
				t.Errorf("%s for others: %s is %v", role, right, got)
			}
		}
	}
}
