package trial

import (
	"errors"
	"testing"
	"time"

	"github.com/ringfence/ringfence/remedy"
)

func isRefused(err error) bool { return errors.As(err, new(*RefusedError)) }
func isUnclear(err error) bool { return errors.As(err, new(*UnclearError)) }

// TestFixIsKept: the whole way, with each who can confirm it.
func TestFixIsKept(t *testing.T) {
	for by, prepare := range map[string]func(w *fake){
		Auto:    func(*fake) {},
		Console: func(w *fake) { w.answer = "keep" },
		NewSession: func(w *fake) {
			w.during(30*time.Second, func() {
				w.login = w.now - int64(time.Second)
				if err := w.world().ConfirmNow(t.Context(), "", false, Options{Persist: true}); err != nil {
					t.Error(err)
				}
			})
		},
	} {
		w := newFake(t)
		prepare(w)
		report, err, _ := w.fix(Options{By: by, Persist: true})
		if err != nil {
			t.Errorf("%s: %v", by, err)
			continue
		}
		st := w.onDisk()
		if st == nil || st.Phase != PhaseConfirmed || !st.Persisted || st.Booted == nil || w.persisted == nil || !w.closed() || w.cut != 1 {
			t.Errorf("%s: %+v, closed %v", by, st, w.closed())
		}
		if remedy.OnTrial(w.loaded(), st.Trial) == nil {
			t.Errorf("%s: the trial is still there", by)
		}
		if report.Worst() == "critical" {
			t.Errorf("%s: the report is about the host before", by)
		}
		w.pass(24 * time.Hour)
		if !w.closed() {
			t.Errorf("%s: it went out by itself", by)
		}
		if _, err := w.world().Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", by, err)
		}
	}
}
