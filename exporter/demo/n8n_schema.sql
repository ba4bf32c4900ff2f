-- n8n 2.41: the tables an exporter reads, as n8n's own migrations leave them in PostgreSQL.
-- Left out: every other table, and the two foreign keys that point at them (folder, "user").

CREATE FUNCTION increment_workflow_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW."versionCounter" IS NOT DISTINCT FROM OLD."versionCounter"
        AND (NEW."nodes"::text IS DISTINCT FROM OLD."nodes"::text
            OR NEW."settings"::text IS DISTINCT FROM OLD."settings"::text) THEN
        NEW."versionCounter" = OLD."versionCounter" + 1;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TABLE execution_data (
    "executionId" integer NOT NULL,
    "workflowData" json NOT NULL,
    data text NOT NULL,
    "workflowVersionId" character varying(36)
);

CREATE TABLE execution_entity (
    id integer NOT NULL,
    finished boolean NOT NULL,
    mode character varying NOT NULL,
    "retryOf" character varying,
    "retrySuccessId" character varying,
    "startedAt" timestamp(3) with time zone,
    "stoppedAt" timestamp(3) with time zone,
    "waitTill" timestamp(3) with time zone,
    status character varying NOT NULL,
    "workflowId" character varying(36) NOT NULL,
    "deletedAt" timestamp(3) with time zone,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "storedAt" character varying(2) DEFAULT 'db'::character varying NOT NULL,
    "tracingContext" json,
    "deduplicationKey" character varying(255),
    "jsonSizeBytes" bigint DEFAULT 0 NOT NULL,
    "workflowVersionId" character varying(36) DEFAULT NULL::character varying,
    "binaryDataSizeBytes" bigint DEFAULT 0 NOT NULL,
    "usedPrivateCredentials" boolean DEFAULT false NOT NULL,
    CONSTRAINT "CHK_execution_entity_storedAt" CHECK ((("storedAt")::text = ANY (ARRAY[('db'::character varying)::text, ('fs'::character varying)::text, ('s3'::character varying)::text, ('az'::character varying)::text])))
);

COMMENT ON COLUMN execution_entity."jsonSizeBytes" IS 'Byte size of the JSON execution data bundle (run data, workflow snapshot, version id); excludes binary data. 0 means unknown.';

COMMENT ON COLUMN execution_entity."workflowVersionId" IS 'Version id of the workflow run by this execution; denormalized from the data bundle.';

COMMENT ON COLUMN execution_entity."binaryDataSizeBytes" IS 'Byte size of binary data offloaded to separate storage (db/fs/S3), deduplicated by blob; excludes inline binary counted in jsonSizeBytes. 0 means unknown.';

COMMENT ON COLUMN execution_entity."usedPrivateCredentials" IS 'Whether this execution ran with at least one dynamically-resolved private credential.';

CREATE SEQUENCE execution_entity_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE execution_entity_id_seq OWNED BY execution_entity.id;

CREATE TABLE execution_metadata (
    id integer NOT NULL,
    "executionId" integer NOT NULL,
    key character varying(255) NOT NULL,
    value text NOT NULL
);

CREATE SEQUENCE execution_metadata_temp_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE execution_metadata_temp_id_seq OWNED BY execution_metadata.id;

CREATE TABLE project (
    id character varying(36) NOT NULL,
    name character varying(255) NOT NULL,
    type character varying(36) NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "updatedAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    icon json,
    description character varying(512),
    "creatorId" uuid,
    "customTelemetryTags" json DEFAULT '[]'::json NOT NULL
);

COMMENT ON COLUMN project."creatorId" IS 'ID of the user who created the project';

CREATE TABLE shared_workflow (
    "workflowId" character varying(36) NOT NULL,
    "projectId" character varying(36) NOT NULL,
    role text NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "updatedAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL
);

CREATE TABLE tag_entity (
    name character varying(24) NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "updatedAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    id character varying(36) NOT NULL
);

CREATE TABLE workflow_entity (
    name character varying(128) NOT NULL,
    active boolean NOT NULL,
    nodes json NOT NULL,
    connections json NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "updatedAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    settings json,
    "staticData" json,
    "pinData" json,
    "versionId" character(36) NOT NULL,
    "triggerCount" integer DEFAULT 0 NOT NULL,
    id character varying(36) NOT NULL,
    meta json,
    "parentFolderId" character varying(36) DEFAULT NULL::character varying,
    "isArchived" boolean DEFAULT false NOT NULL,
    "versionCounter" integer DEFAULT 1 NOT NULL,
    description text,
    "activeVersionId" character varying(36),
    "nodeGroups" json DEFAULT '[]'::json NOT NULL,
    "sourceWorkflowId" character varying
);

CREATE TABLE workflow_history (
    "versionId" character varying(36) NOT NULL,
    "workflowId" character varying(36) NOT NULL,
    authors character varying(255) NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    "updatedAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP(3) NOT NULL,
    nodes json NOT NULL,
    connections json NOT NULL,
    name character varying(128),
    autosaved boolean DEFAULT false NOT NULL,
    description text,
    "nodeGroups" json DEFAULT '[]'::json NOT NULL
);

CREATE TABLE workflow_statistics (
    count bigint DEFAULT 0,
    "latestEvent" timestamp(3) with time zone,
    name character varying(128) NOT NULL,
    "workflowId" character varying(36) NOT NULL,
    "rootCount" bigint DEFAULT 0,
    id integer NOT NULL,
    "workflowName" character varying(128)
);

CREATE TABLE workflow_statistics_delta (
    id bigint NOT NULL,
    "workflowId" character varying(36) NOT NULL,
    name character varying(128) NOT NULL,
    "rootCountDelta" smallint NOT NULL,
    "createdAt" timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "workflowName" character varying(128)
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

ALTER TABLE workflow_statistics_delta ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME workflow_statistics_delta_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE workflow_statistics_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE workflow_statistics_id_seq OWNED BY workflow_statistics.id;

CREATE TABLE workflows_tags (
    "workflowId" character varying(36) NOT NULL,
    "tagId" character varying(36) NOT NULL
);

ALTER TABLE ONLY execution_entity ALTER COLUMN id SET DEFAULT nextval('execution_entity_id_seq'::regclass);

ALTER TABLE ONLY execution_metadata ALTER COLUMN id SET DEFAULT nextval('execution_metadata_temp_id_seq'::regclass);

ALTER TABLE ONLY workflow_statistics ALTER COLUMN id SET DEFAULT nextval('workflow_statistics_id_seq'::regclass);

ALTER TABLE ONLY execution_metadata
    ADD CONSTRAINT "PK_17a0b6284f8d626aae88e1c16e4" PRIMARY KEY (id);

ALTER TABLE ONLY project
    ADD CONSTRAINT "PK_4d68b1358bb5b766d3e78f32f57" PRIMARY KEY (id);

ALTER TABLE ONLY shared_workflow
    ADD CONSTRAINT "PK_5ba87620386b847201c9531c58f" PRIMARY KEY ("workflowId", "projectId");

ALTER TABLE ONLY workflow_history
    ADD CONSTRAINT "PK_b6572dd6173e4cd06fe79937b58" PRIMARY KEY ("versionId");

ALTER TABLE ONLY execution_data
    ADD CONSTRAINT execution_data_pkey PRIMARY KEY ("executionId");

ALTER TABLE ONLY execution_entity
    ADD CONSTRAINT pk_e3e63bbf986767844bbe1166d4e PRIMARY KEY (id);

ALTER TABLE ONLY workflows_tags
    ADD CONSTRAINT pk_workflows_tags PRIMARY KEY ("workflowId", "tagId");

ALTER TABLE ONLY tag_entity
    ADD CONSTRAINT tag_entity_pkey PRIMARY KEY (id);

ALTER TABLE ONLY workflow_entity
    ADD CONSTRAINT workflow_entity_pkey PRIMARY KEY (id);

ALTER TABLE ONLY workflow_statistics_delta
    ADD CONSTRAINT workflow_statistics_delta_pkey PRIMARY KEY (id);

ALTER TABLE ONLY workflow_statistics
    ADD CONSTRAINT workflow_statistics_pkey PRIMARY KEY (id);

CREATE INDEX "IDX_1e31657f5fe46816c34be7c1b4" ON workflow_history USING btree ("workflowId");

CREATE UNIQUE INDEX "IDX_cec8eea3bf49551482ccb4933e" ON execution_metadata USING btree ("executionId", key);

CREATE UNIQUE INDEX "IDX_execution_entity_deduplicationKey" ON execution_entity USING btree ("deduplicationKey") WHERE ("deduplicationKey" IS NOT NULL);

CREATE INDEX "IDX_execution_entity_deletedAt" ON execution_entity USING btree ("deletedAt");

CREATE INDEX "IDX_execution_entity_workflowId_status_id" ON execution_entity USING btree ("workflowId", status, id) WHERE ("deletedAt" IS NULL);

CREATE INDEX "IDX_shared_workflow_projectId" ON shared_workflow USING btree ("projectId");

CREATE INDEX "IDX_workflow_entity_name" ON workflow_entity USING btree (name);

CREATE INDEX "IDX_workflow_entity_sourceWorkflowId" ON workflow_entity USING btree ("sourceWorkflowId") WHERE ("sourceWorkflowId" IS NOT NULL);

CREATE UNIQUE INDEX "IDX_workflow_statistics_workflow_name" ON workflow_statistics USING btree ("workflowId", name);

CREATE UNIQUE INDEX idx_812eb05f7451ca757fb98444ce ON tag_entity USING btree (name);

CREATE INDEX idx_execution_entity_stopped_at_status_deleted_at ON execution_entity USING btree ("stoppedAt", status, "deletedAt") WHERE (("stoppedAt" IS NOT NULL) AND ("deletedAt" IS NULL));

CREATE INDEX idx_execution_entity_wait_till_status_deleted_at ON execution_entity USING btree ("waitTill", status, "deletedAt") WHERE (("waitTill" IS NOT NULL) AND ("deletedAt" IS NULL));

CREATE INDEX idx_execution_entity_workflow_id_started_at ON execution_entity USING btree ("workflowId", "startedAt") WHERE (("startedAt" IS NOT NULL) AND ("deletedAt" IS NULL));

CREATE INDEX idx_workflows_tags_workflow_id ON workflows_tags USING btree ("workflowId");

CREATE UNIQUE INDEX pk_tag_entity_id ON tag_entity USING btree (id);

CREATE UNIQUE INDEX pk_workflow_entity_id ON workflow_entity USING btree (id);

CREATE TRIGGER workflow_version_increment BEFORE UPDATE ON workflow_entity FOR EACH ROW EXECUTE FUNCTION increment_workflow_version();

ALTER TABLE ONLY workflow_entity
    ADD CONSTRAINT "FK_08d6c67b7f722b0039d9d5ed620" FOREIGN KEY ("activeVersionId") REFERENCES workflow_history("versionId") ON DELETE RESTRICT;

ALTER TABLE ONLY workflow_history
    ADD CONSTRAINT "FK_1e31657f5fe46816c34be7c1b4b" FOREIGN KEY ("workflowId") REFERENCES workflow_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY execution_metadata
    ADD CONSTRAINT "FK_31d0b4c93fb85ced26f6005cda3" FOREIGN KEY ("executionId") REFERENCES execution_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY shared_workflow
    ADD CONSTRAINT "FK_a45ea5f27bcfdc21af9b4188560" FOREIGN KEY ("projectId") REFERENCES project(id) ON DELETE CASCADE;

ALTER TABLE ONLY shared_workflow
    ADD CONSTRAINT "FK_daa206a04983d47d0a9c34649ce" FOREIGN KEY ("workflowId") REFERENCES workflow_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY execution_data
    ADD CONSTRAINT execution_data_fk FOREIGN KEY ("executionId") REFERENCES execution_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY execution_entity
    ADD CONSTRAINT fk_execution_entity_workflow_id FOREIGN KEY ("workflowId") REFERENCES workflow_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY workflows_tags
    ADD CONSTRAINT fk_workflows_tags_tag_id FOREIGN KEY ("tagId") REFERENCES tag_entity(id) ON DELETE CASCADE;

ALTER TABLE ONLY workflows_tags
    ADD CONSTRAINT fk_workflows_tags_workflow_id FOREIGN KEY ("workflowId") REFERENCES workflow_entity(id) ON DELETE CASCADE;

