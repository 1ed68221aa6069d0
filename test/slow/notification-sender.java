// Posts hooks from Java's own HTTP client, set up as Jenkins' plugins set it up, so that the wire is theirs:
//   java notification-sender.java plugin <retries> <url>            the Notification plugin
//   java notification-sender.java cloudevents <type> <url>          the CloudEvents plugin, binary mode
// The body comes on stdin. One line for each attempt: the status, or `failed <exception>`. The test is jenkins-java.test.ts.
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.UUID;

class NotificationSender {
  static final int TIMEOUT_MS = 30_000;

  public static void main(String[] args) throws Exception {
    byte[] body = System.in.readAllBytes();
    if (args[0].equals("plugin")) withRetries(args[2], body, Integer.parseInt(args[1]));
    else System.out.println(cloudEvent(args[2], args[1], body));
  }

  /** The bug: one failure is never forgotten, so that every retry is sent, also after a success. */
  static void withRetries(String url, byte[] body, int retries) {
    boolean failed = false;
    int left = retries;
    do {
      try {
        System.out.println(notify(url, body));
      } catch (Throwable error) {
        failed = true;
        System.out.println("failed " + error.getClass().getSimpleName());
      }
      left--;
    } while (failed && left >= 0);
  }

  /** A known length, no redirects of its own but 307, Basic from the address before it is asked for. */
  static int notify(String address, byte[] body) throws IOException {
    URL url = URI.create(address).toURL();
    HttpURLConnection connection = (HttpURLConnection) url.openConnection(java.net.Proxy.NO_PROXY);
    connection.setRequestProperty("Content-Type", "application/json;charset=UTF-8");
    if (url.getUserInfo() != null) {
      byte[] userInfo = url.getUserInfo().getBytes(StandardCharsets.UTF_8);
      connection.setRequestProperty("Authorization", "Basic " + Base64.getEncoder().encodeToString(userInfo));
    }
    connection.setFixedLengthStreamingMode(body.length);
    connection.setDoInput(true);
    connection.setDoOutput(true);
    connection.setConnectTimeout(TIMEOUT_MS);
    connection.setReadTimeout(TIMEOUT_MS);
    connection.connect();
    try (OutputStream out = connection.getOutputStream()) {
      out.write(body);
      out.flush();
    }
    int status = connection.getResponseCode();
    String location = connection.getHeaderField("Location");
    connection.disconnect();
    return status == 307 ? notify(location, body) : status;
  }

  static int cloudEvent(String address, String type, byte[] body) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) URI.create(address).toURL().openConnection();
    connection.setRequestMethod("POST");
    connection.setDoOutput(true);
    connection.setRequestProperty("ce-specversion", "1.0");
    connection.setRequestProperty("ce-id", UUID.randomUUID().toString());
    connection.setRequestProperty("ce-type", type);
    connection.setRequestProperty("ce-source", "job/web");
    connection.setRequestProperty("content-type", "application/json");
    connection.setRequestProperty("content-length", String.valueOf(body.length));
    try (OutputStream out = connection.getOutputStream()) {
      out.write(body);
    }
    return connection.getResponseCode();
  }
}
