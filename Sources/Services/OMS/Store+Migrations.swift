internal import Postgres

extension PostgresOrderStore {
  static let migrations = [
    Migration(
      1, "orders, executions, events",
      """
      CREATE TABLE progress (only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        sequence int8 NOT NULL);
      INSERT INTO progress (sequence) VALUES (0);
      CREATE TABLE orders (
        order_id text PRIMARY KEY, client_order_id text NOT NULL, account text NOT NULL,
        strategy_id text NOT NULL, venue text NOT NULL, symbol text NOT NULL, side text NOT NULL,
        type text NOT NULL, time_in_force text NOT NULL, price numeric, quantity numeric NOT NULL,
        status text NOT NULL, filled_quantity numeric NOT NULL, filled_notional numeric,
        average_price numeric, reject_reason text, reject_text text,
        created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, version int8 NOT NULL,
        created_by text NOT NULL, message bytea NOT NULL,
        UNIQUE (account, client_order_id));
      CREATE INDEX orders_symbol ON orders (symbol, order_id DESC);
      CREATE TABLE executions (
        sequence int8 PRIMARY KEY, venue text NOT NULL, symbol text NOT NULL,
        execution_id text NOT NULL, order_id text NOT NULL, client_order_id text NOT NULL,
        account text NOT NULL, strategy_id text NOT NULL, side text NOT NULL,
        price numeric NOT NULL, quantity numeric NOT NULL, fee numeric NOT NULL,
        fee_asset text NOT NULL, maker bool NOT NULL, exchange_time timestamptz NOT NULL,
        message bytea NOT NULL,
        UNIQUE (venue, symbol, execution_id));
      CREATE INDEX executions_order ON executions (order_id);
      CREATE TABLE order_events (
        sequence int8 PRIMARY KEY, order_id text NOT NULL, kind text NOT NULL,
        time timestamptz NOT NULL, status text NOT NULL, message bytea NOT NULL);
      CREATE INDEX order_events_order ON order_events (order_id, sequence);
      """),
    // An execution is one of an order: both legs of a self-trade have one execution id, and the second
    // was lost. So everything is recorded once more. A sequence is one of a generation, and a client
    // order id may come back when the journal is restored from a copy that does not know it.
    Migration(
      2, "executions by order, generations, what is set aside",
      """
      ALTER TABLE progress ADD COLUMN generation int8 NOT NULL DEFAULT 0,
        ADD COLUMN mark int8 NOT NULL DEFAULT 0, ADD COLUMN again_until int8 NOT NULL DEFAULT 0;
      CREATE TABLE generations (generation int8 PRIMARY KEY, reason text NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO generations (generation, reason) VALUES (1, 'the schema has changed');
      UPDATE progress SET generation = 1, again_until = sequence, sequence = 0;
      ALTER TABLE orders ADD COLUMN generation int8 NOT NULL DEFAULT 0,
        DROP CONSTRAINT orders_account_client_order_id_key;
      CREATE INDEX orders_client ON orders (account, client_order_id);
      ALTER TABLE executions ADD COLUMN generation int8 NOT NULL DEFAULT 0,
        DROP CONSTRAINT executions_pkey, DROP CONSTRAINT executions_venue_symbol_execution_id_key,
        ADD PRIMARY KEY (venue, symbol, execution_id, order_id);
      CREATE INDEX executions_sequence ON executions (generation, sequence);
      ALTER TABLE order_events ADD COLUMN generation int8 NOT NULL DEFAULT 0,
        DROP CONSTRAINT order_events_pkey, ADD PRIMARY KEY (generation, sequence);
      CREATE TABLE former_orders (LIKE orders);
      CREATE TABLE former_executions (LIKE executions);
      CREATE TABLE former_events (LIKE order_events);
      CREATE TABLE set_aside (generation int8 NOT NULL, sequence int8 NOT NULL, kind text NOT NULL,
        order_id text NOT NULL, message bytea NOT NULL, error text NOT NULL,
        set_aside_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (generation, sequence));
      """),
  ]
}
