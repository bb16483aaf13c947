/*
 * A web server of static files in one file of C. It serves what is below a folder, says /healthz itself, and asks itself
 * for that when it is called with --check.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "dev"
#endif

enum { PORT = 8080, MOST_REQUEST = 8192, PATIENCE_SECONDS = 5 };

static void die(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in address(uint32_t host) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  at.sin_addr.s_addr = htonl(host);
  return at;
}

static void be_patient(int socket) {
  struct timeval limit = {.tv_sec = PATIENCE_SECONDS};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static const char *type_of(const char *path) {
  static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                         {".css", "text/css; charset=utf-8"},
                                         {".svg", "image/svg+xml"},
                                         {".txt", "text/plain; charset=utf-8"}};
  const char *end = strrchr(path, '.');
  for (size_t i = 0; end != NULL && i < sizeof types / sizeof *types; i++)
    if (strcmp(end, types[i][0]) == 0) return types[i][1];
  return "application/octet-stream";
}

static void head(int client, const char *status, const char *type, long long length) {
  dprintf(client,
          "HTTP/1.1 %s\r\nServer: site/%s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
          "Connection: close\r\n\r\n",
          status, VERSION, type, length);
}

static void say(int client, const char *status, const char *text) {
  head(client, status, "text/plain; charset=utf-8", (long long)strlen(text));
  dprintf(client, "%s", text);
}

static void send_file(int client, const char *path, int with_body) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat found;
  if (file < 0 || fstat(file, &found) != 0 || !S_ISREG(found.st_mode)) {
    say(client, "404 Not Found", "there is no such page\n");
  } else {
    head(client, "200 OK", type_of(path), (long long)found.st_size);
    off_t at = 0;
    while (with_body && at < found.st_size)
      if (sendfile(client, file, &at, (size_t)(found.st_size - at)) <= 0) break;
  }
  if (file >= 0) close(file);
}

/* One request for each connection; the folder is where the process is. */
static void answer(int client) {
  char request[MOST_REQUEST];
  char method[8];
  char target[1024];
  ssize_t length = recv(client, request, sizeof request - 1, 0);
  if (length <= 0) return;
  request[length] = '\0';
  if (sscanf(request, "%7s /%1023[^ ?\r\n]", method, target) < 2) {
    target[0] = '\0';
    if (sscanf(request, "%7s / ", method) < 1) return say(client, "400 Bad Request", "what?\n");
  }
  int is_head = strcmp(method, "HEAD") == 0;
  if (!is_head && strcmp(method, "GET") != 0) return say(client, "405 Method Not Allowed", "only GET and HEAD\n");
  if (strstr(target, "..") != NULL || target[0] == '/') return say(client, "404 Not Found", "no\n");
  if (strcmp(target, "healthz") == 0) return say(client, "200 OK", "ok\n");
  send_file(client, target[0] == '\0' ? "index.html" : target, !is_head);
}

static int check(void) {
  struct sockaddr_in at = address(INADDR_LOOPBACK);
  char status[16] = "";
  int server = socket(AF_INET, SOCK_STREAM, 0);
  be_patient(server);
  if (connect(server, (struct sockaddr *)&at, sizeof at) != 0) die("connect");
  dprintf(server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  if (recv(server, status, sizeof status - 1, MSG_WAITALL) < 0) die("recv");
  printf("%.12s\n", status);
  return strncmp(status, "HTTP/1.1 200", 12) == 0 ? 0 : 1;
}

static void end(int signal) {
  (void)signal;
  _exit(0);
}

int main(int count, char **words) {
  if (count == 2 && strcmp(words[1], "--check") == 0) return check();
  if (count != 2 || chdir(words[1]) != 0) die("usage: server FOLDER");
  /* The first process of a container has no signal handlers of its own, and nobody else to collect its children. */
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in at = address(INADDR_ANY);
  int one = 1;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (struct sockaddr *)&at, sizeof at) != 0 || listen(server, 64) != 0) die("listen");
  printf("site %s serves %s on port %d\n", VERSION, words[1], PORT);
  fflush(stdout);
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0 && errno != EINTR && errno != ECONNABORTED) die("accept");
    if (client < 0) continue;
    /* A process for each: who is slow keeps nobody else waiting. */
    if (fork() == 0) {
      be_patient(client);
      answer(client);
      _exit(0);
    }
    close(client);
  }
}
