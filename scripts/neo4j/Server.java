import java.nio.file.Path;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.HttpConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/** Neo4j with its data in a folder, speaking Bolt alone on a port of this machine, and asking for the password. */
class Server {
    public static void main(String[] args) throws InterruptedException {
        SocketAddress here = new SocketAddress("127.0.0.1", Integer.parseInt(args[1]));
        DatabaseManagementService neo4j = new DatabaseManagementServiceBuilder(Path.of(args[0]))
            .setConfig(GraphDatabaseSettings.auth_enabled, true)
            .setConfig(GraphDatabaseSettings.pagecache_memory, 64L << 20)
            .setConfig(BoltConnector.enabled, true)
            .setConfig(BoltConnector.listen_address, here)
            .setConfig(BoltConnector.advertised_address, here)
            .setConfig(HttpConnector.enabled, false)
            .build();
        Runtime.getRuntime().addShutdownHook(new Thread(neo4j::shutdown));
        Thread.currentThread().join();
    }
}
