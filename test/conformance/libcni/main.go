// Command libcni runs one verb of a network through the library that container runtimes use.
//
//	libcni VERB LIST CACHE CONTAINER NETNS IFNAME [CAPABILITY-ARGS]
//
// LIST is a .conflist file and CACHE the directory where the library keeps results between calls. Plugins are looked
// for in CNI_PATH. The result of ADD, or the plugin's error, goes to standard output as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		var refusal *types.Error
		if !errors.As(err, &refusal) {
			refusal = &types.Error{Code: 0, Msg: err.Error()}
		}
		json.NewEncoder(os.Stdout).Encode(refusal)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 6 {
		return errors.New("libcni VERB LIST CACHE CONTAINER NETNS IFNAME [CAPABILITY-ARGS]")
	}
	list, err := libcni.ConfListFromFile(args[1])
	if err != nil {
		return err
	}
	cni := libcni.NewCNIConfigWithCacheDir(filepath.SplitList(os.Getenv("CNI_PATH")), args[2], nil)
	runtime := &libcni.RuntimeConf{ContainerID: args[3], NetNS: args[4], IfName: args[5]}
	if len(args) > 6 {
		if err := json.Unmarshal([]byte(args[6]), &runtime.CapabilityArgs); err != nil {
			return err
		}
	}
	ctx := context.Background()
	switch args[0] {
	case "ADD":
		result, err := cni.AddNetworkList(ctx, list, runtime)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	case "CHECK":
		return cni.CheckNetworkList(ctx, list, runtime)
	case "DEL":
		return cni.DelNetworkList(ctx, list, runtime)
	case "STATUS":
		return cni.GetStatusNetworkList(ctx, list)
	case "GC":
		// CONTAINER and IFNAME say which attachment is still valid.
		valid := []types.GCAttachment{{ContainerID: runtime.ContainerID, IfName: runtime.IfName}}
		return cni.GCNetworkList(ctx, list, &libcni.GCArgs{ValidAttachments: valid})
	case "VERSION":
		_, err := cni.ValidateNetworkList(ctx, list)
		return err
	}
	return fmt.Errorf("there is no verb %s", args[0])
}
