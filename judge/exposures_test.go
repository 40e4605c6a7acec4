package judge

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/zones"
)

// TestExposuresListedTogether: of a host with many networks, exposures that are listed together say of each origin and family what they say one by
// one, policies see the same of a service, and there are fewer of them.
func TestExposuresListedTogether(t *testing.T) {
	s := fixtures.Networks(8, 2)
	b := build(t.Context(), s, zones.Config{})
	var list []int
	for i, svc := range b.byService {
		if svc != nil {
			list = append(list, i)
		}
	}
	each := func(exposures []finding.Exposure) map[string]int {
		out := map[string]int{}
		r := finding.Report{Exposures: exposures}
		for e := range r.EachExposure() {
			x := *e
			x.Witness, x.Also = "", nil
			out[fmt.Sprintf("%+v", x)]++
		}
		return out
	}
	apart, together, fewer := 0, 0, 0
	exposure.New(t.Context(), s, exposure.Limits{}, nil).EachSocket(list, b.zones.Origins, func(i int, answers []exposure.Of) {
		sk := &s.Listeners.Sockets[i]
		one, all := b.service(sk), b.service(sk)
		x, y := b.expose(sk, one, answers, false), b.expose(sk, all, answers, true)
		apart, together = apart+len(x), together+len(y)
		if len(y) < len(x) {
			fewer++
		}
		if !maps.Equal(each(x), each(y)) {
			t.Errorf("port %d: one by one %v, together %v", sk.Port, each(x), each(y))
		}
		if !reflect.DeepEqual(one, all) {
			t.Errorf("port %d: policies see %+v, and %+v of those listed together", sk.Port, one, all)
		}
	})
	if fewer == 0 || together*2 > apart {
		t.Errorf("%d exposures of %d sockets, and %d together", apart, len(list), together)
	}
}
