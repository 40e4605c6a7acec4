package escape

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestJSON: nothing that acts is left, and the text means the same.
func TestJSON(t *testing.T) {
	in := map[string]string{"a\u009b31m": "\u007f\u202eevil\u2066 \u0085 ü 日本 \u200f\ufeff"}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := JSON(b)
	if bytes.ContainsFunc(out, acts) {
		t.Errorf("%q", out)
	}
	var got map[string]string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != 1 || got["a\u009b31m"] != in["a\u009b31m"] {
		t.Errorf("%q %v", got, err)
	}
	if plain := []byte(`{"a":"ü"}`); !bytes.Equal(JSON(plain), plain) {
		t.Error("plain text was changed")
	}
}
