// session-manager-plugin, unmodified, with versions of what it needs that are known to compile together: it has none itself.
package main

import (
	"os"

	"github.com/aws/session-manager-plugin/src/sessionmanagerplugin/session"
	_ "github.com/aws/session-manager-plugin/src/sessionmanagerplugin/session/portsession"
	_ "github.com/aws/session-manager-plugin/src/sessionmanagerplugin/session/shellsession"
)

func main() { session.ValidateInputAndStartSession(os.Args, os.Stdout) }
