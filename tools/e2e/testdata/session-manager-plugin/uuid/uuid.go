// Package uuid stands for github.com/twinj/uuid as session-manager-plugin was written for: the versions of it that are left have another
// type, which the plug-in does not compile with. It has what the plug-in calls and nothing else.
package uuid

import (
	"crypto/rand"
	"fmt"
)

// UUID is nil where there is none.
type UUID interface {
	Bytes() []byte
	String() string
}

// CleanHyphen is the one format there is: groups of hexadecimal digits with hyphens between them.
const CleanHyphen = "%x-%x-%x-%x-%x"

// SwitchFormat changes nothing: there is no other format.
func SwitchFormat(string) {}

type value [16]byte

func (v value) Bytes() []byte { return v[:] }

func (v value) String() string {
	return fmt.Sprintf(CleanHyphen, v[:4], v[4:6], v[6:8], v[8:10], v[10:])
}

// New takes 16 bytes.
func New(bytes []byte) UUID {
	var v value
	copy(v[:], bytes)
	return v
}

// NewV4 is a random one (RFC 9562, section 5.4).
func NewV4() UUID {
	var v value
	rand.Read(v[:])
	v[6] = v[6]&0x0f | 0x40
	v[8] = v[8]&0x3f | 0x80
	return v
}
