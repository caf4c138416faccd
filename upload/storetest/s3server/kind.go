package s3server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Kind is a kind of server.
type Kind struct {
	Name string
	// AccessKey and SecretKey are the credentials that it accepts.
	AccessKey, SecretKey string

	// files of the kind, below the tools' directory; it is installed if they all exist.
	files []string
	// command starts it in an empty directory on 127.0.0.1:port. ports are more that are
	// free.
	command func(tools, dir string, port int, ports []int) (argv, env []string)
	// buckets is the directory, below that one, whose directories are its buckets. Where
	// there is none, a bucket is made by a request without a signature.
	buckets string
	// versions is another directory that it needs, for buckets with versions.
	versions string
}

// Versitygw is the kind that tests use: a gateway over a directory.
var Versitygw = Kind{
	Name: "versitygw", AccessKey: AccessKey, SecretKey: SecretKey, buckets: "buckets", versions: "versions",
	command: func(binary, dir string, port int, _ []int) (argv, env []string) {
		return []string{binary, "-p", addrOf(port), "-q", "posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "buckets")},
			[]string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey, "VGW_REGION=" + Region}
	},
}

// KMSKey is the name of the key with which MinIO encrypts for the requests that ask for KMS.
const KMSKey = "key-1"

// ToolsEnv names the directory into which make servers installs the other kinds.
const ToolsEnv = "TIDEMARK_S3_SERVERS"

// Others are the kinds that make servers installs and tries.
func Others() []Kind {
	const python, s3mock, s3proxy = "python/bin/", "s3mock.jar", "s3proxy.jar"
	return []Kind{
		{
			Name: "MinIO", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{"bin/minio"}, buckets: ".",
			command: func(tools, dir string, port int, _ []int) (argv, env []string) {
				return []string{filepath.Join(tools, "bin/minio"), "server", dir, "--address", addrOf(port), "--quiet"},
					[]string{"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off",
						"MINIO_KMS_SECRET_KEY=" + KMSKey + ":MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
			},
		},
		{
			Name: "SeaweedFS", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{python + "weed"},
			command: func(tools, dir string, port int, ports []int) (argv, env []string) {
				argv = []string{filepath.Join(tools, python, "weed"), "server", "-dir=" + dir, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.port=" + strconv.Itoa(port), "-master.volumeSizeLimitMB=1024", "-volume.max=100", "-s3.port.iceberg=0", "-s3.port.lance=0"}
				for i, name := range []string{"master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc"} {
					argv = append(argv, fmt.Sprintf("-%s=%d", name, ports[i]))
				}
				return argv, nil
			},
		},
		{
			Name: "moto", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{python + "moto_server"},
			command: func(tools, _ string, port int, _ []int) (argv, env []string) {
				return []string{filepath.Join(tools, python, "moto_server"), "-H", "127.0.0.1", "-p", strconv.Itoa(port)}, nil
			},
		},
		{
			Name: "S3Mock", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{s3mock},
			command: func(tools, dir string, port int, ports []int) (argv, env []string) {
				return []string{"java", "-Djava.io.tmpdir=" + dir, "-jar", filepath.Join(tools, s3mock), "--server.address=127.0.0.1",
					"--http.port=" + strconv.Itoa(port), "--server.port=" + strconv.Itoa(ports[0])}, nil
			},
		},
		{
			Name: "S3Proxy", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{s3proxy}, buckets: ".",
			command: func(tools, dir string, port int, _ []int) (argv, env []string) {
				return []string{"java", "-Ds3proxy.endpoint=http://" + addrOf(port), "-Ds3proxy.authorization=aws-v2-or-v4",
					"-Ds3proxy.identity=" + AccessKey, "-Ds3proxy.credential=" + SecretKey, "-Djclouds.provider=filesystem",
					"-Djclouds.filesystem.basedir=" + dir, "-jar", filepath.Join(tools, s3proxy), "--properties", os.DevNull}, nil
			},
		},
		{
			Name: "rclone", AccessKey: AccessKey, SecretKey: SecretKey, files: []string{python + "rclone"}, buckets: ".",
			command: func(tools, dir string, port int, _ []int) (argv, env []string) {
				return []string{filepath.Join(tools, python, "rclone"), "serve", "s3", "--addr", addrOf(port), "--auth-key", AccessKey + "," + SecretKey,
					"--vfs-cache-mode", "off", "--cache-dir", filepath.Join(dir, ".cache"), dir}, []string{"RCLONE_CONFIG=" + os.DevNull}
			},
		},
		{
			Name: "s3rver", AccessKey: "S3RVER", SecretKey: "S3RVER", files: []string{"npm/node_modules/.bin/s3rver"}, buckets: ".",
			command: func(tools, dir string, port int, _ []int) (argv, env []string) {
				return []string{filepath.Join(tools, "npm/node_modules/.bin/s3rver"), "-d", dir, "-a", "127.0.0.1", "-p", strconv.Itoa(port), "--no-vhost-buckets", "--silent"}, nil
			},
		},
	}
}

// Installed returns the directory of the tools, and whether the kind is there.
func (k Kind) Installed() (tools string, ok bool) {
	tools = os.Getenv(ToolsEnv)
	if tools == "" {
		return "", false
	}
	for _, f := range k.files {
		if _, err := os.Stat(filepath.Join(tools, f)); err != nil {
			return tools, false
		}
	}
	return tools, true
}

func addrOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// putBucket makes a bucket by a request. It tries until the server is ready, or ctx ends.
func putBucket(ctx context.Context, endpoint, name string) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"/"+name, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		status := ""
		if err == nil {
			status = answer.Status
			err = answer.Body.Close()
			if err == nil && (answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusConflict) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("make bucket %s: %s: %w", name, status, errors.Join(ctx.Err(), err))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
