package words

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestJSONErrors: no error shows a type of Go, and each says what is there.
func TestJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "nothing is in it",
		" \n":                         "nothing is in it",
		`{"schema": "x`:               "it ends early (unexpected end of JSON input)",
		"[]":                          "it is an array, want an object",
		"3":                           "it is a number, want an object",
		"{\n\"schema\": 3}":           "schema: a number, want a string",
		`{"list": {}}`:                "list: an object, want an array",
		`{"list": [1, "a"]}`:          "list: a string, want a number",
		"<html>":                      "no JSON in line 1: invalid character '<' looking for beginning of value",
		"{\n\"schema\": \"a\",\n!\n}": "no JSON in line 3: invalid character '!' looking for beginning of object key string",
	} {
		var into struct {
			Schema string `json:"schema"`
			List   []int  `json:"list"`
		}
		err := JSONError([]byte(text), json.Unmarshal([]byte(text), &into))
		if err == nil || err.Error() != want || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if other := errors.New("x"); JSONError([]byte("{}"), nil) != nil || !errors.Is(JSONError([]byte("{}"), other), other) {
		t.Error("other errors are changed")
	}
}
